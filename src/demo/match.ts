import { pick, type Random } from './random.ts';

export type MatchEventType = 'kick-off' | 'chance' | 'goal' | 'corner' | 'foul' | 'card' | 'half-time' | 'full-time';

/** One event of a fictional match. */
export interface MatchEvent {
  /** Counts matches since the feed began. */
  readonly match: number;
  readonly home: string;
  readonly away: string;
  readonly minute: number;
  readonly type: MatchEventType;
  /** Absent if an event is about both teams. */
  readonly team?: string;
  readonly player?: string;
  readonly score: readonly [home: number, away: number];
  readonly text: string;
}

const TEAMS = ['Harbour Town', 'Northbridge', 'Saltmarsh United', 'Old Quarry', 'Riverside Rovers', 'Copperfield'] as const;
const PLAYERS = ['Abara', 'Brandt', 'Castell', 'Dvorak', 'Eklund', 'Fontaine', 'Gallo', 'Hayashi', 'Iqbal', 'Jonsson'] as const;
const FULL_TIME_MINUTE = 90;
const HALF_TIME_MINUTE = 45;
/** Weights, out of a hundred events in open play. A match has about 180 of them, so about three goals. */
const CHANCES: readonly (readonly [type: MatchEventType, outOf100: number])[] = [
  ['goal', 2],
  ['card', 4],
  ['corner', 18],
  ['foul', 26],
  ['chance', 50],
];

/** Generates fictional matches, one after the other, without end. */
export function* matchEvents(random: Random): Generator<MatchEvent, never> {
  for (let match = 1; ; match++) yield* oneMatch(random, match);
}

function* oneMatch(random: Random, match: number): Generator<MatchEvent, void> {
  const home = pick(random, TEAMS);
  const away = pick(
    random,
    TEAMS.filter((team) => team !== home),
  );
  const score: [number, number] = [0, 0];
  const event = (minute: number, type: MatchEventType, text: string, who: { team?: string; player?: string } = {}): MatchEvent => {
    return { match, home, away, minute: Math.floor(minute), type, ...who, score: [...score], text };
  };

  yield event(0, 'kick-off', `${home} v ${away} (a fictional match) has begun`);
  let minute = 0;
  let secondHalf = false;
  while (true) {
    minute += random();
    if (!secondHalf && minute >= HALF_TIME_MINUTE) {
      secondHalf = true;
      yield event(HALF_TIME_MINUTE, 'half-time', `Half-time: ${home} ${score[0]}–${score[1]} ${away}`);
    }
    if (minute >= FULL_TIME_MINUTE) break;
    const side = random() < 0.5 ? 0 : 1;
    const who = { team: side === 0 ? home : away, player: pick(random, PLAYERS) };
    const type = eventType(random);
    if (type === 'goal') score[side]++;
    yield event(minute, type, describe(type, who, score), who);
  }
  yield event(FULL_TIME_MINUTE, 'full-time', `Full time: ${home} ${score[0]}–${score[1]} ${away}`);
}

function eventType(random: Random): MatchEventType {
  let left = random() * 100;
  for (const [type, outOf100] of CHANCES) {
    left -= outOf100;
    if (left < 0) return type;
  }
  return 'chance';
}

function describe(type: MatchEventType, { team, player }: { team: string; player: string }, score: readonly [number, number]): string {
  switch (type) {
    case 'goal':
      return `Goal! ${player} scores for ${team}: ${score[0]}–${score[1]}`;
    case 'card':
      return `Yellow card for ${player} (${team})`;
    case 'corner':
      return `Corner for ${team}, taken by ${player}`;
    case 'foul':
      return `Foul by ${player} (${team})`;
    default:
      return `${player} shoots for ${team}, and misses`;
  }
}
