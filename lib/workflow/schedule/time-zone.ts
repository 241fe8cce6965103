const SECOND = 1_000;
const HOUR = 3_600_000;
/** Instants this far apart are compared to find a change of the offset. No zone has changed twice within it. */
const STEP = 12 * HOUR;
/** How far the instant of a local time can be from the same time in UTC, with a margin. */
const REACH = 36 * HOUR;
const OFFSET = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/;

const zones = new Map<string, TimeZone>();

/** The zone of an IANA name; undefined if this runtime does not know it. */
export function timeZone(name: string): TimeZone | undefined {
  const known = zones.get(name);
  if (known !== undefined) return known;
  // Offsets such as "+02:00" are zones for some runtimes only.
  if (!/^[A-Za-z]/.test(name)) return undefined;
  try {
    const zone = new TimeZone(
      new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' }),
    );
    zones.set(name, zone);
    return zone;
  } catch {
    return undefined;
  }
}

/**
 * The offsets of a time zone. A local time is a number too: the milliseconds that the same reading of a clock would be in
 * UTC. So local times can be compared and added to, and `instant + offset` is the local time of an instant.
 */
export class TimeZone {
  /** Most schedules are in UTC, and `format` takes microseconds. */
  private readonly isUtc: boolean;

  constructor(private readonly format: Intl.DateTimeFormat) {
    this.isUtc = format.resolvedOptions().timeZone === 'UTC';
  }

  /** Local time minus UTC at an instant, in milliseconds. */
  offsetAt(instant: number): number {
    if (this.isUtc) return 0;
    const [, sign, hours = 0, minutes = 0, seconds = 0] =
      OFFSET.exec(this.format.format(instant)) ?? [];
    const offset = Number(hours) * HOUR + Number(minutes) * 60 * SECOND + Number(seconds) * SECOND;
    return sign === '-' ? -offset : offset;
  }

  /** The first instant after `from`, up to `to`, at which the offset changes. */
  changeAfter(from: number, to: number): number | undefined {
    for (let low = from; low < to; low += STEP) {
      const high = Math.min(low + STEP, to);
      const offset = this.offsetAt(low);
      if (this.offsetAt(high) !== offset) return this.firstWithout(offset, low, high);
    }
    return undefined;
  }

  /**
   * The instant of a local time. Of a local time that occurs twice, the first one. A local time that the zone skips has the
   * instant of the change.
   */
  instantOf(local: number): number {
    const before = this.offsetAt(local - REACH);
    const after = this.offsetAt(local + REACH);
    const instant = [local - Math.max(before, after), local - Math.min(before, after)].find(
      (candidate) => candidate + this.offsetAt(candidate) === local,
    );
    return instant ?? this.firstWithout(before, local - REACH, local + REACH);
  }

  /** The first instant between the two that does not have the offset of `low`. All changes are at whole seconds. */
  private firstWithout(offset: number, low: number, high: number): number {
    let [before, after] = [Math.floor(low / SECOND), Math.ceil(high / SECOND)];
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (this.offsetAt(middle * SECOND) === offset) before = middle;
      else after = middle;
    }
    return after * SECOND;
  }
}
