import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The tables of src/OPERATING.md that say what to do: heading, and how the ids of their rows begin. */
const TABLES = [
  ['Troubleshooting by sign', 'sign'],
  ['Troubleshooting by error code', 'error'],
  ['By close code', 'close'],
  ['By HTTP status', 'http'],
];

/**
 * Makes the page that the operator's page links to, from the tables of src/OPERATING.md: `help.html#error-busy` is the row of `busy`.
 * @param {string} root folder of the repository
 */
export function makeHelpPage(root) {
  const markdown = readFileSync(join(root, 'src/OPERATING.md'), 'utf8');
  const parts = TABLES.map(
    ([heading, kind]) =>
      `<h2>${text(heading)}</h2>\n${rowsOf(markdown, heading)
        .map((row) => entry(row, kind))
        .join('\n')}`,
  );
  const file = join(root, 'dist/http/page/help.html');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, page(parts.join('\n')));
}

/** The cells of a table's rows, without its head. @throws Error if there is none */
function rowsOf(markdown, heading) {
  const from = markdown.indexOf(`\n## ${heading}\n`);
  if (from < 0) throw new Error(`src/OPERATING.md has no section "${heading}"`);
  const section = markdown.slice(from + 1).split('\n## ')[0] ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('|'));
  if (lines.length < 3) throw new Error(`"${heading}" of src/OPERATING.md has no table`);
  return lines.slice(2).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

function entry([name = '', ...cells], kind) {
  // A row may be for several codes.
  const names = kind === 'sign' ? [cells[0]?.replaceAll('`', '')] : name.replaceAll('`', '').split(/,\s*/);
  const [first = '', ...more] = names.map((one) => `${kind}-${one}`);
  const further = more.map((id) => `<a id="${text(id)}"></a>`).join('');
  const body = kind === 'sign' ? cells.slice(1) : cells;
  return `<h3 id="${text(first)}">${further}${inline(name)}</h3>\n<p>${body.map(inline).join(' ')}</p>`;
}

/** Code and links of Markdown. Links lead to other documents, which a node does not serve: only their text stays. */
function inline(markdown) {
  return text(markdown.replace(/\[([^\]]+)\]\([^)]*\)/g, '$1').replaceAll('\\|', '|')).replace(/`([^`]+)`/g, '<code>$1</code>');
}

function text(value) {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function page(content) {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>What to do – Stentor operator</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="style.css">
</head>
<body class="help">
<header><h1>Stentor <small>what to do</small></h1></header>
<main class="card">
${content}
</main>
</body>
</html>
`;
}
