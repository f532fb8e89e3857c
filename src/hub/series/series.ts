import { SERIES_FIELDS, type SeriesColumns, type SeriesField, type SeriesPoint } from './fields.ts';

const WIDTH = SERIES_FIELDS.length + 1;

/** The last points of a node: a ring of numbers of a fixed size. NaN stands for null. */
export class Series {
  readonly #numbers: Float64Array;
  readonly #pointsMax: number;
  #count = 0;

  constructor(pointsMax: number) {
    this.#pointsMax = pointsMax;
    this.#numbers = new Float64Array(pointsMax * WIDTH);
  }

  add(atMs: number, point: SeriesPoint): void {
    const at = (this.#count % this.#pointsMax) * WIDTH;
    this.#numbers[at] = atMs;
    for (const [column, field] of SERIES_FIELDS.entries()) this.#numbers[at + 1 + column] = point[field] ?? Number.NaN;
    this.#count++;
  }

  columns(): SeriesColumns {
    const kept = Math.min(this.#count, this.#pointsMax);
    const rows = Array.from({ length: kept }, (_, row) => ((this.#count - kept + row) % this.#pointsMax) * WIDTH);
    const column = (at: number) => rows.map((row) => this.#numbers[row + at] as number);
    const known = (numbers: number[]) => numbers.map((number) => (Number.isNaN(number) ? null : number));
    const fields = SERIES_FIELDS.map((field, at): [SeriesField, (number | null)[]] => [field, known(column(at + 1))]);
    return { atMs: column(0), ...(Object.fromEntries(fields) as Record<SeriesField, (number | null)[]>) };
  }
}
