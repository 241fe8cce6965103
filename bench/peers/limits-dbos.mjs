import { DBOS } from '@dbos-inc/dbos-sdk';
import { withCallers } from '../measure/callers.mjs';
import { Handled } from '../measure/handled.mjs';
import { SlotAudit } from '../measure/slot-audit.mjs';
import { taskWork } from '../measure/shape.mjs';

const QUEUE = 'bench';
const CALLERS = 200;

export const limitsDbos = {
  name: 'DBOS',
  package: '@dbos-inc/dbos-sdk',
  configurations: {
    none: { about: 'a queue, minPollingIntervalMs 10', queue: () => ({}) },
    limit: {
      about: 'a queue with partitionConcurrency, minPollingIntervalMs 10',
      queue: ({ perKey }) => ({ partitionConcurrency: perKey }),
      isPartitioned: true,
    },
  },
  unfinished: () =>
    "EXISTS (SELECT FROM dbos.workflow_status WHERE status IN ('PENDING', 'ENQUEUED'))",
  open: openLimits,
};

async function openLimits({ url, configuration, shape, claims = true }) {
  const handled = new Handled();
  const audit = new SlotAudit();
  const work = taskWork(shape);
  DBOS.setConfig({
    name: 'bench',
    applicationVersion: '1',
    executorID: `bench-${process.pid}`,
    systemDatabaseUrl: url,
    systemDatabasePoolSize: 25,
    logLevel: 'error',
    ...(claims ? {} : { listenQueues: [] }),
  });
  const workflow = DBOS.registerWorkflow(
    async (key) => {
      await audit.run(key, async () => work());
      handled.add();
    },
    { name: 'bench' },
  );
  await DBOS.launch();
  await DBOS.registerQueue(QUEUE, {
    minPollingIntervalMs: 10,
    workerConcurrency: shape.slots,
    ...configuration.queue(shape),
    onConflict: 'never_update',
  });
  let n = 0;
  const startOne = (keys) => {
    const key = `key-${n++ % keys}`;
    const options = configuration.isPartitioned
      ? { queueName: QUEUE, enqueueOptions: { queuePartitionKey: key } }
      : { queueName: QUEUE };
    return DBOS.startWorkflow(workflow, options)(key);
  };
  return {
    handled,
    takeRuns: () => audit.take(),
    startKeyed: (count, keys) => withCallers(CALLERS, count, () => startOne(keys)),
    close: () => DBOS.shutdown(),
  };
}
