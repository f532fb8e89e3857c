import { createInterface } from 'node:readline';
import { buildFloor } from '../build.ts';
import { type FeedPlan, type FeedResult, publicationsIn } from '../core/feed.ts';
import { Program } from '../core/program.ts';
import { findProgram } from '../core/programs.ts';
import type { RunningServer, ServerUnderTest } from './server.ts';

/** `$CC`, else the `cc` on the PATH. */
function compiler(): string | undefined {
  return process.env.CC ?? findProgram('cc');
}

/** What no server can undercut: floor.c calls send() for each member, with as many publications a call as it is told, and does nothing else. */
export const floor: ServerUnderTest = {
  name: 'floor',
  title: 'the floor, a C program that only calls send()',
  missing: () => (compiler() === undefined ? 'no C compiler: set $CC or put cc on the PATH' : undefined),
  async start({ nodes, itemsPerSend = 1 }): Promise<RunningServer> {
    if (nodes !== 1) throw new Error('floor runs as one process');
    const program = new Program(await buildFloor(compiler()!), [], 'pipe');
    const answers = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
    /** @throws Error when it ended instead of answering */
    const answer = async (word: string): Promise<number> => {
      const { value = '', done } = await answers.next();
      if (done === true || !value.startsWith(`${word} `)) throw new Error(`floor ended, or did not say "${word}": ${value}`);
      return Number(value.slice(word.length + 1));
    };
    const feed = async (plan: FeedPlan): Promise<FeedResult> => {
      program.stdin.write(feedLine(plan, itemsPerSend));
      const latenessMaxUs = await answer('fed');
      const [{ topic } = { topic: '' }] = plan.topics;
      return { published: { [topic]: publicationsIn(plan.topics[0]!, plan.durationMs) }, latenessMaxUs };
    };
    const port = await answer('listening').catch((error) => program.stop().then(() => Promise.reject(error)));
    return { dialect: 'plain', ports: [port], pids: [program.pid], selfFed: true, feed, stop: () => program.stop() };
  },
};

/** @throws Error for a plan of more than one topic, or of one with keys */
function feedLine({ topics, startAtUs, durationMs, payloadBytes }: FeedPlan, itemsPerSend: number): string {
  const [feed] = topics;
  if (feed === undefined || topics.length > 1 || feed.keys > 0 || feed.rotateOver !== undefined) {
    throw new Error('floor has one topic, without keys');
  }
  const { ratePerSecond, burst, firstSequence } = feed;
  const numbers = [startAtUs, publicationsIn(feed, durationMs), ratePerSecond, burst, firstSequence, payloadBytes, itemsPerSend];
  return `feed ${numbers.join(' ')}\n`;
}
