import { PgBoss } from 'pg-boss';
import { inBatches } from '../measure/callers.mjs';
import { Handled } from '../measure/handled.mjs';
import { SlotAudit } from '../measure/slot-audit.mjs';
import { taskWork } from '../measure/shape.mjs';

const QUEUE = 'bench';
const INSERT = 1_000;

export const limitsPgBoss = {
  name: 'pg-boss',
  package: 'pg-boss',
  configurations: {
    none: { about: 'no group limit; useListenNotify, polling every 0.5 s', groups: () => ({}) },
    limit: {
      about: 'groupConcurrency; useListenNotify, polling every 0.5 s',
      groups: ({ perKey }) => ({ groupConcurrency: perKey }),
    },
  },
  unfinished: () => "EXISTS (SELECT FROM pgboss.job WHERE state < 'completed')",
  open: openLimits,
};

async function openLimits({ url, configuration, shape, claims = true }) {
  const boss = new PgBoss({ connectionString: url, useListenNotify: true });
  boss.on('error', (error) => console.error(error));
  await boss.start();
  await boss.createQueue(QUEUE, { notify: true }).catch(() => {}); // another process made it
  const handled = new Handled();
  const audit = new SlotAudit();
  const work = taskWork(shape);
  if (claims) {
    const options = {
      localConcurrency: shape.slots,
      pollingIntervalSeconds: 0.5,
      notifyPollingIntervalSeconds: 0.5,
      ...configuration.groups(shape),
    };
    await boss.work(QUEUE, options, async ([job]) => {
      await audit.run(job.data.key, work);
      handled.add();
    });
  }
  let n = 0;
  return {
    handled,
    takeRuns: () => audit.take(),
    startKeyed: (count, keys) =>
      inBatches(INSERT, count, (length) =>
        boss.insert(
          QUEUE,
          Array.from({ length }, () => {
            const key = `key-${n++ % keys}`;
            return { data: { key }, group: { id: key } };
          }),
        ),
      ),
    close: () => boss.stop({ graceful: false }),
  };
}
