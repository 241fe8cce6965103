import { Executor } from '../execution/executor.js';
import { HandlerRunner } from '../execution/handler-runner.js';
import { Overruns } from '../execution/overruns.js';
import { ProgressReports } from '../execution/progress-reports.js';
import { Suspects } from '../execution/suspects.js';
import { TaskInterceptors } from '../execution/task-interceptors.js';
import type { ChildrenRoom } from './children.js';
import type { CompletionRoom } from './completion.js';
import type { EngineCore } from './core.js';
import type { MapsRoom } from './maps.js';
import type { OutcomesRoom } from './outcomes.js';
import type { WaitsRoom } from './waits.js';

export type ExecutionRoom = ReturnType<typeof wireExecution>;

export interface GroupsOfExecution {
  readonly completion: CompletionRoom;
  readonly outcomes: OutcomesRoom;
  readonly waits: WaitsRoom;
  readonly children: ChildrenRoom;
  readonly maps: MapsRoom;
}

/** The run of a claimed task: its input, its slot and its handler, with all that the handler calls. */
export function wireExecution(core: EngineCore, groups: GroupsOfExecution) {
  const { given, settings, store, clock, tenant, state, events, claims, queue, gate, later } = core;
  const { inputs } = groups.completion;
  const { completer, recorder } = groups.outcomes;
  const { steps, taker, tokens } = groups.waits;
  const { items, itemCanceller, maps, results, batch } = groups.maps;
  const { dataSource, runner, interceptors = new TaskInterceptors() } = given;
  const suspects = new Suspects(store, completer);
  const overruns = new Overruns({
    clock,
    tenant,
    graceMs: settings.handlerGraceMs,
    queue,
    ended: () => {
      later.claimer.claimAvailable();
      later.limited.look();
    },
  });
  const progress = new ProgressReports({
    clock,
    store,
    holds: (claim) => claims.holds(claim),
    stored: (id) => events.changed?.(id),
  });
  const handlers = new HandlerRunner({
    clock,
    settings,
    store,
    dataSource,
    runner,
    recorder,
    gate,
    events,
    interceptors,
    steps,
    messages: taker,
    tokens,
    children: groups.children.children,
    progress,
    results,
    batch,
    maps,
    telemetry: core.telemetry,
  });
  const executor = new Executor({
    clock,
    state,
    queue,
    inputs,
    items,
    handlers,
    completer,
    suspects,
    overruns,
    mustNotBegin: (claim) => itemCanceller.failFast(claim),
    maxContextSize: settings.maxContextSize,
  });
  return { suspects, overruns, progress, executor };
}
