// An optional peer of openworkflow, which its PostgreSQL backend needs. So a lack of it shows here.
// oxlint-disable-next-line import/no-unassigned-import
import 'postgres';
import { OpenWorkflow } from 'openworkflow';
import { BackendPostgres } from 'openworkflow/postgres';
import { withCallers } from '../measure/callers.mjs';
import { Handled } from '../measure/handled.mjs';
import { timeUntilRecorded } from '../measure/latency.mjs';
import { taskWork } from '../measure/shape.mjs';

/** Callers at a time that start runs. */
const CALLERS = 100;

export const openWorkflow = {
  name: 'OpenWorkflow',
  package: 'openworkflow',
  configurations: {
    default: { about: 'default options (concurrency 1); a run for each execution', worker: {} },
    fast: { about: 'concurrency 100; a run for each execution', worker: { concurrency: 100 } },
  },
  // Its limit of steps a workflow.
  canRun: (shape) => shape.tasks.length <= 1_000,
  unfinished: () =>
    "EXISTS (SELECT FROM openworkflow.workflow_runs WHERE status IN ('pending', 'running', 'sleeping'))",
  unfinishedOne:
    "SELECT FROM openworkflow.workflow_runs WHERE id = $1 AND status IN ('pending', 'running', 'sleeping')",
  open: openOpenWorkflow,
};

async function openOpenWorkflow({ url, configuration, shape, claims = true }) {
  const handled = new Handled();
  const backend = await BackendPostgres.connect(url);
  const client = new OpenWorkflow({ backend });
  const workflow = client.defineWorkflow({ name: 'bench' }, bodyOf(shape, handled));
  const worker = claims ? client.newWorker(configuration.worker) : undefined;
  await worker?.start();
  const input = shape.payload === undefined ? {} : { payload: shape.payload };
  return {
    handled,
    start: (count) => withCallers(CALLERS, count, () => workflow.run(input)),
    timeOne: async (isUnfinished) => {
      let handle;
      const began = performance.now();
      const accept = async () => (handle = await workflow.run(input)).workflowRun.id;
      const times = await timeUntilRecorded({ handled, accept, isUnfinished });
      await handle.result();
      return { ...times, seen: performance.now() - began };
    },
    close: async () => {
      await worker?.stop();
      await backend.stop();
    },
  };
}

/** A single task is the workflow itself; more of them are steps, those with the same dependencies side by side. */
function bodyOf(shape, handled) {
  const work = taskWork(shape);
  const asyncWork = async () => work();
  return async ({ step }) => {
    if (shape.tasks.length === 1) {
      await work();
    } else {
      await step.run({ name: 'task-0' }, asyncWork);
      if (shape.kind === 'fan') {
        await Promise.all(
          Array.from({ length: shape.width }, (_, no) =>
            step.run({ name: `task-${no + 1}` }, asyncWork),
          ),
        );
        await step.run({ name: 'merge' }, asyncWork);
      } else {
        for (let no = 1; no < shape.tasks.length; no++)
          await step.run({ name: `task-${no}` }, asyncWork);
      }
    }
    handled.add();
  };
}
