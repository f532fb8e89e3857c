import { describe, expect, it } from 'vitest';
import { emptyRun } from '../../loadtest/measure/empty-run.ts';
import { share } from '../../loadtest/measure/swarms.ts';
import { parseOptions } from '../../loadtest/options.ts';
import { formatFigure, formatSpread } from '../../loadtest/report/format.ts';
import { escapeHtml, renderPage } from '../../loadtest/report/html.ts';
import { thisMachine } from '../../loadtest/report/results.ts';

describe('figures', () => {
  it('have three significant digits', () => {
    expect([0, 0.49666, 12.345, 1234.5, 0.0000123].map(formatFigure)).toEqual(['0', '0.497', '12.3', '1,235', '0.0000123']);
  });

  it('show the spread only where there is one', () => {
    expect(formatSpread({ median: 1, min: 1, max: 1, count: 1 })).toBe('1');
    expect(formatSpread({ median: 1, min: 0.5, max: 2, count: 3 })).toBe('1 (0.5–2)');
  });
});

describe('the page', () => {
  it('is self-contained, and escapes text of the results', () => {
    const scenario = {
      name: 's',
      title: '<b>T</b>',
      describes: 'd',
      baseline: 'uws',
      targets: [],
      servers: [],
      verdicts: [],
      missing: { ws: '</script>' },
    };
    const runs = [emptyRun('uws', 0, { joinAllMs: 5 }, '</script><img>')];
    const page = renderPage({ startedAt: 'now', command: 'c', quick: true, machine: thisMachine(), scenarios: [{ ...scenario, runs }] });
    expect(page).not.toMatch(/(src|href)=/);
    expect(page).not.toContain('</script><img>');
    expect(page).toContain(escapeHtml('<b>T</b>'));
    expect(page.match(/<script/g)).toHaveLength(3);
  });
});

describe('sharing members over processes', () => {
  it('gives every port its share, and no process more than its maximum', () => {
    expect(share(102_000, [1, 2, 3, 4, 5, 6])).toEqual([1, 2, 3, 4, 5, 6].map((port) => ({ port, count: 17_000 })));
    expect(share(20_000, [1])).toEqual([
      { port: 1, count: 17_000 },
      { port: 1, count: 3000 },
    ]);
    expect(share(5, [1, 2])).toEqual([
      { port: 1, count: 3 },
      { port: 2, count: 2 },
    ]);
  });
});

describe('the command line', () => {
  it('runs five pairs by default, and each scenario with its own servers', () => {
    expect(parseOptions([], 'out')).toMatchObject({
      pairs: 5,
      servers: [],
      out: 'out',
      repeatBusy: false,
      overrides: { countSends: false, quick: false },
    });
  });

  it('accepts scenarios, servers and sizes', () => {
    const options = parseOptions(
      '-s 17k,growth --servers stentor,uws -p 2 --seconds 3 --members 100 --rate 0.5 --count-sends'.split(' '),
      '',
    );
    expect(options.scenarios.map(({ name }) => name)).toEqual(['17k', 'growth']);
    expect(options.servers.map(({ name }) => name)).toEqual(['stentor', 'uws']);
    expect(options.overrides).toEqual({ countSends: true, quick: false, seconds: 3, members: 100, rate: 0.5 });
  });

  it('names the scenarios there are when asked for another', () => {
    expect(() => parseOptions(['-s', 'nothing'], '')).toThrow(/no scenario "nothing"; there are: steady-20/);
    expect(() => parseOptions(['--servers', 'nginx'], '')).toThrow(/no server "nginx"; there are: stentor/);
  });
});
