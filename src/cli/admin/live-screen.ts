const ESCAPE = '\x1b[';
/** The alternate screen keeps what the terminal showed before. */
const ENTER = `${ESCAPE}?1049h${ESCAPE}?25l`;
const LEAVE = `${ESCAPE}?25h${ESCAPE}?1049l`;
const TO_TOP = `${ESCAPE}H`;
const CLEAR_LINE = `${ESCAPE}K`;
const CLEAR_BELOW = `${ESCAPE}J`;
const CTRL_C = '\x03';
/** Lines besides the rows of tables: title, heads, gaps, notes. */
const FRAME_LINES = 7;

/** A terminal that is drawn anew again and again, and read for keys. */
export class LiveScreen {
  #wake: (() => void) | undefined;
  #ended = false;
  readonly #onKey = (key: Buffer) => {
    if (key.toString() === 'q' || key.toString() === CTRL_C) this.#end();
  };
  readonly #onSignal = () => this.#end();
  #draw: () => void = () => undefined;
  readonly #onResize = () => this.#draw();

  constructor() {
    process.stdout.write(ENTER);
    process.stdout.on('resize', this.#onResize);
    process.on('SIGINT', this.#onSignal).on('SIGTERM', this.#onSignal);
    if (!process.stdin.isTTY) return;
    process.stdin.setRawMode(true);
    process.stdin.on('data', this.#onKey).resume();
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Draws what fits, also after the window has changed. @param linesFor what to show with so many rows */
  draw(linesFor: (rows: number) => readonly string[]): void {
    this.#draw = () => {
      // Some terminals do not know their size, and say 0.
      const rows = process.stdout.rows || 24;
      const columns = process.stdout.columns || 80;
      const lines = linesFor(Math.max(2, rows - FRAME_LINES)).slice(0, rows - 1);
      process.stdout.write(`${TO_TOP}${lines.map((line) => `${line.slice(0, columns)}${CLEAR_LINE}`).join('\r\n')}\r\n${CLEAR_BELOW}`);
    };
    this.#draw();
  }

  /** Resolves after this time, or when the user has ended it. */
  async wait(ms: number): Promise<'again' | 'ended'> {
    if (!this.#ended) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#ended ? 'ended' : 'again';
  }

  close(): void {
    process.stdout.off('resize', this.#onResize);
    process.off('SIGINT', this.#onSignal).off('SIGTERM', this.#onSignal);
    if (process.stdin.isTTY) {
      process.stdin.off('data', this.#onKey).setRawMode(false);
      process.stdin.pause();
    }
    process.stdout.write(LEAVE);
  }

  #end(): void {
    this.#ended = true;
    this.#wake?.();
  }
}
