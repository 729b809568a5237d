// Loaded before the program: its clock is so many seconds wrong. Timers and performance.now() are not, as with a step of NTP.
const skewMs = Number(process.env.DRILL_CLOCK_SKEW) * 1000;
const RealDate = Date;

globalThis.Date = class Date extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(RealDate.now() + skewMs);
    else super(...given);
  }

  static now() {
    return RealDate.now() + skewMs;
  }
};
