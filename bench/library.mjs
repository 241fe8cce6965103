import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { loadBuilt } from './measure/built-library.mjs';

const { CloacinaModule, defineWorkflow, getRunnerToken } = await loadBuilt();

/** The library as an application uses it, with default settings: no-op tasks, in chains of the given lengths. */
export async function openLibrary(url, schema, lengths) {
  const workflows = lengths.map(chainOf);
  class BenchModule {
    lengths = lengths;
  }
  Module({
    imports: [CloacinaModule.forTenant({ schema, databaseUrl: url })],
    providers: workflows.map((workflow) => ({ provide: workflow.name, useValue: workflow })),
  })(BenchModule);
  const app = await NestFactory.createApplicationContext(BenchModule, {
    logger: ['error', 'warn'],
  });
  const runner = app.get(getRunnerToken(schema));
  return {
    idle: (length, count) => idle(runner, `chain-${length}`, count),
    throughput: (length, count) => throughput(runner, `chain-${length}`, count),
    close: () => app.close(),
  };
}

function chainOf(length) {
  let builder = defineWorkflow(`chain-${length}`);
  for (let no = 0; no < length; no++) {
    builder = builder.task(
      `task-${no}`,
      no === 0 ? {} : { dependsOn: [`task-${no - 1}`] },
      () => {},
    );
  }
  return builder.build();
}

/** Callers that have started and not seen the end at a time. */
const IN_FLIGHT = 1_200;

/** Executions a second, from the call of start() to the recorded end. */
async function throughput(runner, workflow, count) {
  let started = 0;
  let ended = 0;
  const began = performance.now();
  await new Promise((resolve, reject) => {
    const startMore = () => {
      while (started < count && started - ended < IN_FLIGHT) {
        started++;
        runner.start(workflow, {}).catch(reject);
      }
    };
    const subscription = runner.events$.subscribe((event) => {
      if (event.type !== 'execution.ended') return;
      ended++;
      if (ended === count) {
        subscription.unsubscribe();
        resolve();
      } else {
        startMore();
      }
    });
    startMore();
  });
  return (count / (performance.now() - began)) * 1_000;
}

/** Milliseconds of execute(): from the call to the result in the caller's hands, read back from the database. */
async function idle(runner, workflow, count) {
  const times = [];
  for (let i = 0; i < count; i++) {
    const began = performance.now();
    const result = await runner.execute(workflow, {});
    if (result.status !== 'Completed') throw new Error(`${workflow} ended ${result.status}.`);
    times.push(performance.now() - began);
  }
  return times;
}
