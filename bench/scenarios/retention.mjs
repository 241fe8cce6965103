import { setTimeout as delay } from 'node:timers/promises';
import { addHistory, historyLeft, openRetained, sizesOf } from '../measure/retention.mjs';
import { format } from '../measure/rounds.mjs';
import { chain } from '../measure/shape.mjs';
import { median } from '../statistics.mjs';

const LOOK_EVERY_MS = 15_000;
/** Until autovacuum has come by once. */
const VACUUM_MS = 65_000;
const QUICK_LOOK_MS = 500;
const GIVE_UP_MS = 30 * 60_000;

const megabytes = (bytes) => format(bytes / 2 ** 20);
const sizeRow = ({ tables, indexes, executions }) => ({
  'tables, MB': megabytes(tables),
  'indexes, MB': megabytes(indexes),
  executions: format(executions),
});

/** Executions a second beside the deletion of a large history, against those beside the same history at rest. */
export const retention = {
  name: 'retention',
  title: 'Deleting 1,000,000 ended executions of three tasks by their retention, beside work',
  async run({ server, quick, log }) {
    const executions = quick ? 20_000 : 1_000_000;
    const opened = await openRetained({ server, shape: chain(3), configuration: 'default' });
    const { client } = opened.database;
    try {
      const warm = await opened.start(quick ? 2_000 : 10_000);
      await addHistory(client, executions);
      log(`${format(executions)} executions are added`);
      const some = Math.round(warm * (quick ? 3 : 10));
      const rest = [];
      for (let n = 0; n < (quick ? 1 : 5); n++) rest.push(await opened.start(some));
      const before = await sizesOf(client);
      await opened.restart('hour');
      await opened.start(Math.round(some / 5));
      const began = performance.now();
      const first = await historyLeft(client);
      const beside = [];
      let left = first;
      while (left > 0 && performance.now() - began < GIVE_UP_MS) {
        const rate = await opened.start(some);
        const now = await historyLeft(client);
        // A part in which the deletion ended early says nothing.
        if (now > 0 || beside.length === 0) beside.push(rate);
        left = now;
        log(`${format(left)} are left, ${format(rate)} executions/s beside it`);
      }
      const seconds = (performance.now() - began) / 1_000;
      const after = await sizesOf(client);
      await delay(quick ? 0 : VACUUM_MS);
      await opened.start(some);
      const later = await sizesOf(client);
      const alone = await deletedAlone(client, executions / 5);
      const ratio = median(beside) / median(rest);
      const rates = {
        'executions/s at rest': format(median(rest)),
        'beside the deletion': format(median(beside)),
        ratio: format(ratio),
        'deleted/s': format((first - left) / seconds),
        'deleted/s without work': format(alone),
        'not deleted': format(left),
      };
      const sizes = {
        before: sizeRow(before),
        'when all are deleted': sizeRow(after),
        'a minute and more work later': sizeRow(later),
      };
      return { tables: [{ throughput: rates }, sizes], ratio };
    } finally {
      await opened.close();
    }
  },
};

/** Deletes executions where nothing else is to be done. Returns how many a second. */
async function deletedAlone(client, count) {
  await addHistory(client, count);
  const looks = [];
  const began = performance.now();
  do {
    await delay(QUICK_LOOK_MS);
    looks.push({ left: await historyLeft(client), ms: performance.now() });
  } while (looks.at(-1).left > 0 && performance.now() - began < GIVE_UP_MS);
  // Until it begins, the next lap is waited for.
  const first = looks.findLast(({ left }) => left === count) ?? { left: count, ms: began };
  const last = looks.at(-1);
  return ((first.left - last.left) / (last.ms - first.ms)) * 1_000;
}

/** A steady rate of starts, of executions that are deleted a minute after their end. */
export const retentionSteady = {
  name: 'retention-steady',
  title:
    'Ten minutes of 5,000 starts a second with a retention of a minute: whether tables and indexes level off',
  async run({ server, quick, log }) {
    const minutes = quick ? 3 : 10;
    const perSecond = quick ? 500 : 5_000;
    const opened = await openRetained({ server, shape: chain(1), configuration: 'minute' });
    const { client } = opened.database;
    try {
      await opened.start(quick ? 2_000 : 10_000);
      const looks = [];
      const began = performance.now();
      let started = 0;
      const elapsed = () => performance.now() - began;
      while (elapsed() < minutes * 60_000) {
        const look = (looks.length + 1) * LOOK_EVERY_MS;
        while (elapsed() < look) {
          await opened.start(perSecond);
          started += perSecond;
          await delay(Math.max(0, (started / perSecond) * 1_000 - elapsed()));
        }
        looks.push({ at: elapsed() / 60_000, ...(await sizesOf(client)) });
        const { at, executions, tables, indexes } = looks.at(-1);
        log(
          `${at.toFixed(1)} min: ${format(executions)} executions, ${megabytes(tables + indexes)} MB`,
        );
      }
      // When the first executions were deleted, and their room could be used again.
      const settled = looks.find(({ at }) => at >= 2) ?? looks[0];
      const last = looks.at(-1);
      const bytes = (look) => look.tables + look.indexes;
      const ratio = bytes(last) / bytes(settled);
      const levels = {
        'after two minutes': sizeRow(settled),
        'at the end': sizeRow(last),
      };
      const summary = {
        'starts/s': format((started / elapsed()) * 1_000),
        'size, end to two minutes': format(ratio),
      };
      return { tables: [{ level: summary }, levels], ratio };
    } finally {
      await opened.close();
    }
  },
};

/** Statements for the retention of tenants in which nothing has ended. */
export const retentionIdle = {
  name: 'retention-idle',
  title: 'Statements of a minute for the retention of 1,000 idle tenants',
  async run({ server, quick, log }) {
    const count = quick ? 50 : 1_000;
    const ms = quick ? 20_000 : 60_000;
    const schemas = Array.from({ length: count }, (_, n) => `tenant_${n}`);
    const opened = await openRetained({ server, shape: chain(1), configuration: 'hour', schemas });
    try {
      const { name } = opened.database;
      const like = '%cloacina_retention%';
      let known = -1;
      // The first round has a lap in each tenant.
      for (let calls = 0; calls !== known || calls < 2 * count;) {
        await delay(LOOK_EVERY_MS);
        known = calls;
        ({ calls } = await server.calls(name, like));
        log(`${format(calls)} statements since the boot`);
      }
      await server.settle();
      await delay(ms);
      const { calls } = await server.calls(name, like);
      return { tables: [{ statements: { tenants: count, [`in ${ms / 1_000} s`]: calls } }], calls };
    } finally {
      await opened.close();
    }
  },
};
