import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  cpuSeconds,
  exactCpuSeconds,
  parseKilobytes,
  parseMachineCpuSeconds,
  parseSchedstatCpuSeconds,
  parseStatCpuSeconds,
  privateBytes,
  processTree,
} from '../../loadtest/core/proc.ts';
import { sumOfMetric } from '../../loadtest/core/prometheus.ts';
import { sumSkmemBytes } from '../../loadtest/core/ss.ts';
import { parsePerf, parseStrace } from '../../loadtest/measure/send-counter.ts';

describe('figures of /proc', () => {
  it('reads CPU behind a command name with spaces and brackets', () => {
    const stat = `4242 (a (b) c) S 1 4242 4242 0 -1 4194304 100 0 0 0 250 150 0 0 20 0 11 0 100 1 1 18446744073709551615`;
    expect(parseStatCpuSeconds(stat)).toBe(4);
  });

  it('reads CPU to the nanosecond', () => {
    expect(parseSchedstatCpuSeconds('1500000001 412841 3\n')).toBe(1.500000001);
  });

  it('reads a line of kilobytes, and nothing where it is not', () => {
    expect(parseKilobytes('Rss:  8 kB\nAnonymous:   116 kB\n', 'Anonymous')).toBe(116 * 1024);
    expect(parseKilobytes('Rss: 8 kB\n', 'Anonymous')).toBe(0);
  });

  it('reads the CPU time of the whole machine, without idle and wait time', () => {
    expect(parseMachineCpuSeconds('cpu  100 10 50 99999 888 5 25 10 0 0\ncpu0 1 1 1 1\n')).toBe(2);
  });

  it('finds the descendants of a process, and their CPU and memory', async () => {
    const child = fork('-e', ["process.send('up'); setInterval(() => {}, 1000)"], { execArgv: [] });
    try {
      await new Promise((resolve) => child.once('message', resolve));
      const tree = processTree([process.pid]);
      expect(tree).toContain(process.pid);
      expect(tree).toContain(child.pid);
      expect(cpuSeconds(tree)).toBeGreaterThan(0);
      const mainThread = parseSchedstatCpuSeconds(readFileSync(`/proc/${child.pid}/schedstat`, 'utf8'));
      expect(exactCpuSeconds([child.pid!])).toBeGreaterThan(mainThread);
      expect(privateBytes([child.pid!])).toBeGreaterThan(1_000_000);
    } finally {
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await exited;
    }
  });

  it('counts a process that has ended as nothing', () => {
    expect(cpuSeconds([2 ** 22 + 1])).toBe(0);
  });
});

describe('figures of tools', () => {
  it('sums what sockets use, not their limits', () => {
    const text = [
      '0 2565 127.0.0.1:8080 127.0.0.1:50000',
      '\t skmem:(r10,rb131072,t0,tb2626560,f20,w4608,o2,bl0,d0)',
      '\t skmem:(r0,rb131072,t0,tb87040,f0,w100,o0,bl0,d5)',
    ].join('\n');
    expect(sumSkmemBytes(text)).toBe(10 + 20 + 4608 + 2 + 100);
  });

  it("reads perf's counts, with <not counted> as none", () => {
    const text = '320000,,syscalls:sys_enter_sendto,100,100.00,,\n<not counted>,,syscalls:sys_enter_writev,0,100.00,,\n';
    expect(parsePerf(text)).toEqual({ sendto: 320_000, writev: 0 });
  });

  it("reads strace's summary, with and without errors", () => {
    const text = [
      '% time     seconds  usecs/call     calls    errors syscall',
      '------ ----------- ----------- --------- --------- ----------------',
      ' 95.10    0.512345           5    100123        12 sendto',
      '  4.90    0.012345           3        41           write',
      '100.00    0.524690           5    100164        12 total',
    ].join('\n');
    expect(parseStrace(text)).toEqual({ sendto: 100_123, write: 41 });
  });
});

describe("metrics in Prometheus' format", () => {
  it('are summed over their labels, and not confused with others of the same prefix', () => {
    const text = '# TYPE lag gauge\nlag{worker="0"} 3\nlag{worker="1"} 4\nlag_total 100\nother 7\n';
    expect(sumOfMetric(text, 'lag')).toBe(7);
    expect(sumOfMetric(text, 'other')).toBe(7);
    expect(sumOfMetric(text, 'nothing')).toBe(0);
  });
});
