import { setTimeout as delay } from 'node:timers/promises';
import { DBOS } from '@dbos-inc/dbos-sdk';
import { withCallers } from '../measure/callers.mjs';
import { Handled } from '../measure/handled.mjs';
import { timeUntilRecorded } from '../measure/latency.mjs';
import { taskWork } from '../measure/shape.mjs';

const QUEUE = 'bench';
const TOPIC = 'go';
/** recv() does not report that it waits. So the code before it reports, and a moment passes. */
const SETTLE_MS = 500;
const RECV_SECONDS = 600;
/** Of a map: children that their parent waits for at a time, as many as the fast configuration has callers. */
const CHILDREN_AT_A_TIME = 200;

export const dbos = {
  name: 'DBOS',
  package: '@dbos-inc/dbos-sdk',
  configurations: {
    default: {
      about: 'default options (pool of 10); the workflow called directly by 100 callers',
      callers: 100,
      config: {},
    },
    fast: {
      about: 'systemDatabasePoolSize 25; the workflow called directly by 200 callers',
      callers: 200,
      config: { systemDatabasePoolSize: 25 },
    },
    queue: {
      about: 'systemDatabasePoolSize 25; startWorkflow() through a queue, minPollingIntervalMs 10',
      callers: 200,
      config: { systemDatabasePoolSize: 25 },
      queue: { minPollingIntervalMs: 10 },
    },
  },
  canRun: () => true,
  canEnqueue: (configuration) => configuration.queue !== undefined,
  unfinished: () =>
    "EXISTS (SELECT FROM dbos.workflow_status WHERE status IN ('PENDING', 'ENQUEUED'))",
  unfinishedOne:
    "SELECT FROM dbos.workflow_status WHERE workflow_uuid = $1 AND status IN ('PENDING', 'ENQUEUED')",
  open: openDbos,
};

async function openDbos({ url, configuration, shape, claims = true }) {
  const handled = new Handled();
  DBOS.setConfig({
    name: 'bench',
    applicationVersion: '1',
    systemDatabaseUrl: url,
    logLevel: 'error',
    ...(claims ? {} : { listenQueues: [] }),
    ...configuration.config,
  });
  const waits = { begun: 0 };
  const body = shape.kind === 'signal' ? waitingBody(handled, waits) : bodyOf(shape, handled);
  const workflow = DBOS.registerWorkflow(body, { name: 'bench' });
  await DBOS.launch();
  if (configuration.queue) {
    await DBOS.registerQueue(QUEUE, { ...configuration.queue, onConflict: 'never_update' });
  }
  const { payload } = shape;
  const begin = configuration.queue
    ? async () => (await DBOS.startWorkflow(workflow, { queueName: QUEUE })(payload)).workflowID
    : () => workflow(payload);
  return {
    handled,
    start: (count) => withCallers(configuration.callers, count, begin),
    timeOne: configuration.queue
      ? (isUnfinished) => timeUntilRecorded({ handled, accept: begin, isUnfinished })
      : () => timeCall(workflow, payload),
    close: () => DBOS.shutdown(),
    ...waitsOf({ workflow, configuration, handled, waits }),
  };
}

function waitingBody(handled, waits) {
  return async () => {
    waits.begun++;
    await DBOS.recv(TOPIC, RECV_SECONDS);
    handled.add();
  };
}

/** Messages to workflows that wait. */
function waitsOf({ workflow, configuration, handled, waits }) {
  let handles = [];
  const send = ({ workflowID }) => DBOS.send(workflowID, { n: 1 }, TOPIC);
  return {
    startWaits: async (count) => {
      waits.begun = 0;
      handles = [];
      await withCallers(configuration.callers, count, async () => {
        handles.push(await DBOS.startWorkflow(workflow)());
      });
      while (waits.begun < count) await delay(1);
      await delay(SETTLE_MS);
    },
    signalWaits: async () => {
      const left = [...handles];
      const began = performance.now();
      await withCallers(configuration.callers, handles.length, () => send(left.pop()));
      await Promise.all(handles.map((handle) => handle.getResult()));
      return performance.now() - began;
    },
    timeSignal: async () => {
      const resumed = handled.next();
      const began = performance.now();
      await send(handles[0]);
      await resumed;
      const ms = performance.now() - began;
      await handles[0].getResult();
      return ms;
    },
  };
}

/** A single task is the workflow itself; more of them are steps, those with the same dependencies side by side. */
function bodyOf(shape, handled) {
  const work = taskWork(shape);
  const asyncWork = async () => work();
  if (shape.kind === 'children') {
    const child = DBOS.registerWorkflow(asyncWork, { name: 'child' });
    return async () => {
      await child();
      handled.add();
    };
  }
  if (shape.kind === 'map') {
    const child = DBOS.registerWorkflow(asyncWork, { name: 'child' });
    return async () => {
      await withCallers(CHILDREN_AT_A_TIME, shape.items, () => child());
      await DBOS.runStep(asyncWork, { name: 'merge' });
      handled.add();
    };
  }
  return async () => {
    if (shape.tasks.length === 1) {
      await work();
    } else {
      await DBOS.runStep(asyncWork, { name: 'task-0' });
      if (shape.kind === 'fan') {
        await Promise.all(
          Array.from({ length: shape.width }, (_, no) =>
            DBOS.runStep(asyncWork, { name: `task-${no + 1}` }),
          ),
        );
        await DBOS.runStep(asyncWork, { name: 'merge' });
      } else {
        for (let no = 1; no < shape.tasks.length; no++)
          await DBOS.runStep(asyncWork, { name: `task-${no}` });
      }
    }
    handled.add();
  };
}

/** A direct call returns when its end is recorded; that it was accepted is not told apart. */
async function timeCall(workflow, payload) {
  const began = performance.now();
  await workflow(payload);
  const completed = performance.now() - began;
  return { completed, seen: completed };
}
