const MINUTE = 60_000;
const DAY = 86_400_000;

/** One field of an expression: which values match. Only what the generated expressions use. */
function valuesOf(field: string, from: number, to: number): Set<number> {
  const values = new Set<number>();
  for (const part of field.split(',')) {
    const [range = '*', step = '1'] = part.split('/');
    const [low = '', high = low] = range.split('-');
    const first = range === '*' ? from : Number(low);
    const last = range === '*' ? to : Number(high);
    for (let value = first; value <= last; value += Number(step)) values.add(value);
  }
  return values;
}

/** Whether a local time, as a number of milliseconds in UTC, matches an expression of 5 fields. */
function matcher(expression: string): (local: number) => boolean {
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = expression.split(' ');
  const minutes = valuesOf(minute, 0, 59);
  const hours = valuesOf(hour, 0, 23);
  const days = valuesOf(day, 1, 31);
  const months = valuesOf(month, 1, 12);
  const weekdays = valuesOf(weekday, 0, 6);
  return (local) => {
    const date = new Date(local);
    if (!minutes.has(date.getUTCMinutes()) || !hours.has(date.getUTCHours())) return false;
    if (!months.has(date.getUTCMonth() + 1)) return false;
    const [ofDay, ofWeekday] = [days.has(date.getUTCDate()), weekdays.has(date.getUTCDay())];
    return day === '*' || weekday === '*' ? ofDay && ofWeekday : ofDay || ofWeekday;
  };
}

/** Each minute of a zone around an instant, with the local time that a clock shows. */
export interface Minutes {
  readonly zone: string;
  readonly instants: readonly number[];
  readonly locals: readonly number[];
}

export function minutesAround(zone: string, center: string, days: number): Minutes {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'gregory',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  });
  const instants: number[] = [];
  const locals: number[] = [];
  const start = Date.parse(center) - days * DAY;
  for (let at = start; at < start + 2 * days * DAY; at += MINUTE) {
    const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    const part = (name: Intl.DateTimeFormatPartTypes): number => parts.get(name) ?? 0;
    instants.push(at);
    locals.push(
      Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute')),
    );
  }
  return { zone, instants, locals };
}

/** All instants at which an expression fires within these minutes, by going through each minute of the two clocks. */
export function slowInstants(expression: string, { instants, locals }: Minutes): number[] {
  const matches = matcher(expression);
  if (valuesOf(expression.split(' ')[1] ?? '', 0, 23).size === 24) {
    return instants.filter((_, i) => matches(locals[i] ?? 0));
  }
  const first = locals[0] ?? 0;
  const last = locals.at(-1) ?? 0;
  const fired = new Set<number>();
  for (let local = first; local <= last; local += MINUTE) {
    if (!matches(local)) continue;
    const shown = locals.indexOf(local);
    // A skipped time: the clock goes from before it to after it at the change.
    const at = shown === -1 ? locals.findIndex((each) => each > local) : shown;
    fired.add(instants[at] ?? 0);
  }
  return [...fired].sort((a, b) => a - b);
}
