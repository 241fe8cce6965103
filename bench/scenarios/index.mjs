import { bulk, bulkCancel } from './bulk.mjs';
import { chainOfTen, chainOfThree } from './chains.mjs';
import { children, childrenLatency } from './children.mjs';
import { contexts } from './contexts.mjs';
import { dashboard } from './dashboard.mjs';
import { execute } from './execute.mjs';
import { fanOfFive, fanOfThousand } from './fans.mjs';
import { floor } from './floor.mjs';
import { handlers } from './handlers.mjs';
import { history } from './history.mjs';
import { idle } from './idle.mjs';
import { latency, latencyOfThree } from './latency.mjs';
import { limitsThatBind, limitsThatDoNotBind } from './limits.mjs';
import { limitsFairness } from './limits-fairness.mjs';
import { limitsRate } from './limits-rate.mjs';
import { manyTenants } from './many-tenants.mjs';
import { mapControl, mapOfHundredThousand, mapOfThousand } from './maps.mjs';
import { memory } from './memory.mjs';
import { moves } from './moves.mjs';
import { noise } from './noise.mjs';
import { oneTask } from './one-task.mjs';
import { processes } from './processes.mjs';
import { recovery } from './recovery.mjs';
import { retention, retentionIdle, retentionSteady } from './retention.mjs';
import { schedules, schedulesAlone, schedulesOfTenants } from './schedules.mjs';
import { schedulesIdle } from './schedules-idle.mjs';
import { servers } from './servers.mjs';
import { signals } from './signals.mjs';
import { tenSteps, tenStepsLatency } from './steps.mjs';
import { tenants } from './tenants.mjs';
import { testkit } from './testkit.mjs';
import { waiting } from './waiting.mjs';
import { watch } from './watch.mjs';

/** In the order in which a whole run goes through them. */
export const scenarios = [
  oneTask,
  execute,
  chainOfThree,
  chainOfTen,
  fanOfFive,
  fanOfThousand,
  mapOfThousand,
  mapOfHundredThousand,
  mapControl,
  latency,
  latencyOfThree,
  tenSteps,
  tenStepsLatency,
  signals,
  bulk,
  bulkCancel,
  children,
  childrenLatency,
  limitsThatDoNotBind,
  limitsThatBind,
  limitsFairness,
  limitsRate,
  schedules,
  schedulesAlone,
  schedulesOfTenants,
  processes,
  manyTenants,
  ...contexts,
  handlers,
  recovery,
  servers,
  idle,
  schedulesIdle,
  waiting,
  watch,
  dashboard,
  tenants,
  memory,
  history,
  retention,
  retentionSteady,
  retentionIdle,
  moves,
  testkit,
  floor,
  noise,
];
