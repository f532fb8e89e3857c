import { AttackedNode } from '../attacked-node.ts';
import type { FrameFlood } from '../flood/settings.ts';
import type { Scenario } from '../scenario.ts';

const SEEN: readonly FrameFlood[] = ['pongs', 'pings', 'emptyTexts'];
/** uWebSockets' own time-out for a socket that was ended, in steps of 4 s. */
const CUT_MAX_MS = 21_000;

export const frameFlood: Scenario = {
  number: 22,
  title: 'an anonymous socket sends pongs, pings, empty messages as fast as it can',
  pass: 'closed with 4009; other clients are not affected',
  size: { clients: 1, ratePerSecond: 100, topics: 1, quick: false },
  timeoutMs: 240_000,
  async execute(run, size) {
    const nats = await run.nats();
    const attacked = await AttackedNode.start(run, [nats.url], size.ratePerSecond);
    const { node, flooder } = attacked;
    const secondsLong = size.quick ? 2 : 6;
    for (const frames of SEEN) {
      const { report } = await attacked.during(frames, () =>
        flooder.frames({ port: node.port, frames, seconds: secondsLong, again: false }),
      );
      // An empty text is no message: its own error may come first.
      const codes = frames === 'emptyTexts' ? ['4000', '4009'] : ['4009'];
      run.expect(codes.includes(Object.keys(report.closeCodes).join()), `${frames}: closed with ${JSON.stringify(report.closeCodes)}`);
    }
    const again = await attacked.during(
      'pongsAgain',
      () => flooder.frames({ port: node.port, frames: 'pongs', seconds: secondsLong, again: true }),
      { judged: false },
    );
    run.figure('pongsAgainConnections', again.report.connections);
    if (!size.quick) {
      const { report } = await attacked.during('pongsToTheEnd', () =>
        flooder.frames({ port: node.port, frames: 'pongs', seconds: 25, again: false }),
      );
      run.expect(report.cutAfterMs > 0, 'who goes on sending after its close was never cut');
      run.limitMs('cutAfterMs', report.cutAfterMs, CUT_MAX_MS);
    }
    const hidden = () => flooder.frames({ port: node.port, frames: 'emptyFragments', seconds: secondsLong, again: false });
    await attacked.during('emptyFragments', hidden, { judged: false });
    run.note('empty fragments are hidden by uWebSockets: a proxy bounds them (src/OPERATING.md, Floods)');
    await attacked.end();
  },
};
