/** Preloaded into a node whose clock is to be wrong (scenario 20) where libfaketime is not there. */
const shiftMs = Number(process.env.SHIFT_DATE_MS);
const RealDate = Date;
const now = () => RealDate.now() + shiftMs;

globalThis.Date = class extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(now());
    else super(...args);
  }

  static now() {
    return now();
  }
};
