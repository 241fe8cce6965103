import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { loadBuilt } from '../measure/built-library.mjs';
import { Handled } from '../measure/handled.mjs';
import { latenciesUntil, someSeconds } from '../measure/bulk.mjs';
import { spread, withCallers } from '../measure/callers.mjs';
import { controlledMaps, mapControls, mappingOf } from './cloacina-maps.mjs';
import { executeAll, startAtOnce, startingOf, timeOne, timeReads } from './cloacina-starts.mjs';
import { taskWork } from '../measure/shape.mjs';
import { telemetryOf } from '../measure/telemetry.mjs';

const { CloacinaModule, defineEvent, defineSignal, defineWorkflow, getRunnerToken } =
  await loadBuilt();

const SCHEMA = 'bench';
// A build that is compared with this one may be older than signals.
const Go = defineSignal?.('go');
const Bell = defineEvent?.('bell');
const BELL_KEY = 'all';
/** Executions that callers have started and whose end they have not seen, at a time: of one tenant, of each of many. */
const IN_FLIGHT = 1_200;
const IN_FLIGHT_OF_MANY = 120;
/** Callers that send signals. */
const SENDERS = 200;

export const cloacina = {
  name: 'nestjs-cloacina',
  configurations: {
    default: {
      about: 'default options; start() for each execution',
      options: {},
    },
    tuned: {
      about: 'maxConcurrentTasks 1,000; start() for each execution',
      options: { maxConcurrentTasks: 1_000 },
    },
    map: {
      about: 'default options; the tasks side by side are the items of a map',
      options: {},
      mapsFans: true,
    },
    hour: {
      about: 'retention: executions are deleted an hour after their end',
      options: { retention: { completed: '1h' } },
    },
    minute: {
      about: 'retention: executions are deleted a minute after their end',
      options: { retention: { completed: '1m' } },
    },
    execute: {
      about: 'default options; execute() by 1,200 callers, each of which waits for its result',
      options: {},
      awaitsResults: true,
    },
    telemetry: {
      about: 'default options, and telemetry without an SDK',
      options: {},
      telemetry: 'api',
    },
    sdk: {
      about: 'default options, and telemetry with an SDK that keeps nothing',
      options: {},
      telemetry: 'sdk',
    },
  },
  canRun: () => true,
  unfinished: (schema = SCHEMA) =>
    `EXISTS (SELECT FROM ${schema}.cloacina_workflow_execution WHERE status IN ('Pending', 'Running'))`,
  /** Each task that begins an execution comes with a row for the input. */
  claims: { like: 'WITH RECURSIVE level AS%', rowsPerTask: 2 },
  open: openCloacina,
};

/** All of the schemas are tenants of one application. */
async function openCloacina(settings) {
  const { url, configuration, shape, claims = true, alone = true, schemas = [SCHEMA] } = settings;
  const { burst = false } = settings;
  const options = { ...configuration.options };
  if (!claims) options.maxConcurrentTasks = 0;
  const telemetry = await telemetryOf(configuration.telemetry);
  const handled = new Handled();
  const workflows = workflowsOf(shape, handled, configuration);
  const [workflow] = workflows;
  class BenchModule {
    workflows = workflows;
  }
  Module({
    imports: [
      CloacinaModule.forRoot({ ...options, ...telemetry, databaseUrl: url }),
      ...schemas.map((schema) => CloacinaModule.forTenant({ ...options, schema })),
    ],
    providers: workflows.map((one) => ({ provide: one.name, useValue: one })),
  })(BenchModule);
  const app = await NestFactory.createApplicationContext(BenchModule, {
    logger: ['error'],
  });
  const runners = schemas.map((schema) => app.get(getRunnerToken(schema)));
  const [runner] = runners;
  const input = inputOf(shape);
  const inFlight = runners.length === 1 ? IN_FLIGHT : IN_FLIGHT_OF_MANY;
  const start = configuration.awaitsResults ? executeAll : startingOf({ claims, alone, burst });
  const startSome = (one, count) => start(one, workflow.name, input, count, inFlight);
  return {
    handled,
    start: (count) => spread(runners, count, startSome),
    flood: (count) =>
      spread(runners, count, (one, share) => startAtOnce(one, workflow.name, input, share)),
    startMany: (count) => runner.startMany(workflow.name, repeated(input, count)),
    ...cancellation(runner, workflow.name, input),
    timeOne: () => timeOne(runner, workflow.name, input),
    timeReads: (count) => timeReads(runner, count),
    ...(shape.kind === 'signal' ? waitsOf(runner, workflow.name, handled) : {}),
    ...(shape.kind === 'waiting' ? parkingOf(runner) : {}),
    ...(shape.kind === 'maps' ? mapControls(runner) : {}),
    close: () => app.close(),
  };
}

function inputOf(shape) {
  return shape.payload === undefined ? {} : { payload: shape.payload };
}

/** Executions that wait in great number. Nothing is kept of them here. */
function parkingOf(runner) {
  return {
    /** Starts executions, and resolves when all of them wait. */
    park: async (workflow, count) => {
      const suspended = untilEvents(runner, 'task.suspended', count);
      const began = performance.now();
      await withCallers(SENDERS, count, () => runner.start(workflow, {}));
      await suspended;
      return performance.now() - began;
    },
    /** Wakes all that listen, and starts one execution after the other beside them. */
    ring: async (count) => {
      const beside = [];
      const state = { isOver: false };
      const ended = untilEvents(runner, 'execution.ended', count, 'listening');
      const began = performance.now();
      await runner.emit(Bell, BELL_KEY, {});
      const done = ended.then(() => {
        state.isOver = true;
        return performance.now() - began;
      });
      while (!state.isOver) beside.push((await timeOne(runner, 'bench', {})).completed);
      return { ms: await done, beside };
    },
  };
}

function* repeated(input, count) {
  for (let left = count; left > 0; left--) yield input;
}

/** Executions that are due later, and are cancelled while others are executed. */
function cancellation(runner, workflow, input) {
  const tags = { bulk: 'yes' };
  return {
    startLater: (count) =>
      runner.startMany(workflow, repeated(input, count), { delay: '1h', tags }).then(() => {}),
    cancelBeside: async (count) => {
      const execute = () => runner.execute(workflow, input);
      const before = await latenciesUntil(someSeconds(), execute);
      const began = performance.now();
      let ms;
      const cancelled = async () => {
        const operation = await runner.cancelMany({ tags }, { background: true });
        const { context } = await operation.result();
        ms = performance.now() - began;
        if (context.changed !== count) throw new Error(`${context.changed} were cancelled.`);
      };
      const during = await latenciesUntil(cancelled(), execute);
      return {
        ms,
        p95Before: before.p95,
        p95During: during.p95,
        p95Ratio: during.p95 / before.p95,
        p50Before: before.p50,
        p50During: during.p50,
      };
    },
  };
}

function untilEvents(runner, type, count, workflow) {
  return new Promise((resolve) => {
    const subscription = runner.events$.subscribe((event) => {
      if (event.type !== type || (workflow !== undefined && event.workflow !== workflow)) return;
      if (--count > 0) return;
      subscription.unsubscribe();
      resolve();
    });
  });
}

/** Signals to executions that wait. */
function waitsOf(runner, workflow, handled) {
  let ids = [];
  const send = (id) => runner.signal(id, Go, { n: 1 });
  return {
    startWaits: async (count) => {
      const suspended = untilEvents(runner, 'task.suspended', count);
      ids = [];
      await withCallers(SENDERS, count, async () => {
        ids.push((await runner.start(workflow, {})).id);
      });
      await suspended;
    },
    signalWaits: async () => {
      const ended = untilEvents(runner, 'execution.ended', ids.length);
      const left = [...ids];
      const began = performance.now();
      await withCallers(SENDERS, ids.length, () => send(left.pop()));
      await ended;
      return performance.now() - began;
    },
    timeSignal: async () => {
      const resumed = handled.next();
      const ended = untilEvents(runner, 'execution.ended', 1);
      const began = performance.now();
      await send(ids[0]);
      await resumed;
      const ms = performance.now() - began;
      await ended;
      return ms;
    },
  };
}

/** The first is the one to start. */
function workflowsOf(shape, handled, { mapsFans = false }) {
  if (shape.kind === 'map' || mapsFans) return [mappingOf(shape, handled)];
  if (shape.kind === 'maps') return controlledMaps(shape);
  if (shape.kind === 'children') return familyOf(shape, handled);
  if (shape.kind === 'steps') return [steppingOf(shape, handled)];
  if (shape.kind === 'signal') {
    const waiting = defineWorkflow('bench')
      .task('wait', async (context) => {
        await context.waitFor(Go);
        handled.add();
      })
      .build();
    return [waiting];
  }
  if (shape.kind === 'waiting') return parkedWorkflows();
  const work = taskWork(shape);
  // The handler that runs last: its return says that the execution is about to end.
  const lastWork = async () => {
    await work();
    handled.add();
  };
  let builder = defineWorkflow('bench');
  const parallel = [];
  for (const [no, { dependsOn, last }] of shape.tasks.entries()) {
    const name = `task-${no}`;
    parallel.push(name);
    const options = { dependsOn: dependsOn.map((dependency) => parallel[dependency]) };
    builder = builder.task(name, options, last ? lastWork : work);
  }
  return [builder.build()];
}

/** One that waits for a signal, one that waits for an event, and one beside them. */
function parkedWorkflows() {
  const waiting = defineWorkflow('waiting').task('wait', async (context) => {
    await context.waitFor(Go);
  });
  const listening = defineWorkflow('listening').task('wait', async (context) => {
    await context.waitFor(Bell, { key: BELL_KEY });
  });
  const beside = defineWorkflow('bench').task('work', () => {});
  return [beside, waiting, listening].map((builder) => builder.build());
}

function familyOf(shape, handled) {
  const child = defineWorkflow('child').task('work', taskWork(shape)).build();
  const parent = defineWorkflow('bench')
    .task('join', async (context) => {
      await context.execute(child, {});
      handled.add();
    })
    .build();
  return [parent, child];
}

function steppingOf(shape, handled) {
  const work = taskWork(shape);
  return defineWorkflow('bench')
    .task('steps', async (context) => {
      for (const no of shape.tasks.keys()) await context.step(`step-${no}`, work);
      handled.add();
    })
    .build();
}
