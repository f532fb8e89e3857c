import { DATA_DEPTH_MAX } from '../../protocol/depth.ts';
import { parseJson } from '../../protocol/json-codec.ts';
import type { Line } from './lines.ts';
import type { FileRecord } from './records.ts';

const encoder = new TextEncoder();

/** One JSON value per line. Empty lines are skipped. */
export async function* readNdjson(lines: AsyncIterable<Line>): AsyncGenerator<FileRecord, void> {
  for await (const { text, lineNumber, tooLong } of lines) {
    if (tooLong) yield { lineNumber, problem: 'the line is too long' };
    else if (text.trim() !== '') yield parseLine(text, lineNumber);
  }
}

function parseLine(text: string, lineNumber: number): FileRecord {
  try {
    return { lineNumber, value: parseJson(encoder.encode(text), DATA_DEPTH_MAX), json: text.trim() };
  } catch {
    return { lineNumber, problem: 'not valid JSON' };
  }
}
