/**
 * A process with the schedules of one contender. It tells when they are made, and then when each firing after an instant has
 * reached its handler. It tells its processor time when it is asked.
 */
import { cronOf } from '../peers/cron.mjs';

const { name, url, count, tenants, at, everyMs, firings } = JSON.parse(process.env.BENCH_SCHEDULES);
const lags = [];
const seen = new Set();
let twice = 0;

/** @param scheduledAt - undefined for contenders that do not tell: the first firings after the instant are those of it */
function fired(scheduledAt, who) {
  const now = Date.now();
  if (now < at || lags.length >= firings) return;
  const key = `${scheduledAt} ${who}`;
  if (seen.has(key)) {
    // A contender that does not tell may fire for the next minute already.
    if (scheduledAt !== undefined) twice++;
    return;
  }
  seen.add(key);
  lags.push(now - (scheduledAt ?? at));
  if (lags.length === firings) process.send({ lags, twice });
}

const spec =
  everyMs === undefined
    ? () => ({ at: new Date(at) })
    : // Spread over the interval, so that each fires alone.
      (no) => ({ every: everyMs, startAt: new Date(at + Math.floor((no * everyMs) / count)) });
const stop = await cronOf[name]({ url, count, tenants, spec, fired });
process.send({ isReady: true });
process.on('message', (order) => {
  if (order === 'usage') {
    process.send({ usage: process.cpuUsage() });
    return;
  }
  process.send({ lags, twice });
  void stop().finally(() => process.disconnect());
});
