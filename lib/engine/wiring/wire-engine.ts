import { wireAdmissions } from './admissions.js';
import { wireAdoption } from './adoption.js';
import { wireChildren } from './children.js';
import { wireClaims, type ClaimsRoom } from './claims.js';
import { wireCompletion } from './completion.js';
import { wireControl } from './control.js';
import { wireCore, type LaterParts, type TenantEngineParts } from './core.js';
import { wireDefinitions } from './definitions.js';
import { wireDrain } from './drain.js';
import { wireExecution, type ExecutionRoom } from './execution.js';
import { wireMaps, type MapsRoom } from './maps.js';
import { wireOutcomes, type OutcomesRoom } from './outcomes.js';
import { wireRetention } from './retention.js';
import { wireSchedules, type SchedulesRoom } from './schedules.js';
import { wireStarts } from './starts.js';
import { wireWaits } from './waits.js';

export type WiredEngine = ReturnType<typeof wireEngine>;

/**
 * Creates the parts of one tenant's engine and connects them, group by group. A group gets the groups whose parts it calls, so
 * the order below is that of their dependencies; {@link LaterParts} names the exceptions.
 *
 * @param isRecovering - whether a recovery is taking orphans for this tenant
 */
export function wireEngine(given: TenantEngineParts, isRecovering: () => boolean) {
  const later: LaterParts = {
    get claimer() {
      return claims.claimer;
    },
    get limited() {
      return claims.limited;
    },
    get catalog() {
      return definitions.catalog;
    },
    get admitter() {
      return admissions.admitter;
    },
    get reconciler() {
      return claims.reconciler;
    },
    get wakeUps() {
      return claims.wakeUps;
    },
    get itemCanceller() {
      return maps.itemCanceller;
    },
    get maps() {
      return maps.maps;
    },
    get schedules() {
      return schedules.schedules;
    },
    get completer() {
      return outcomes.completer;
    },
    get executor() {
      return execution.executor;
    },
    get overruns() {
      return execution.overruns;
    },
  };
  const core = wireCore(given, later);
  const definitions = wireDefinitions(core);
  const adoption = wireAdoption(core, definitions);
  const completion = wireCompletion(core, adoption);
  const outcomes: OutcomesRoom = wireOutcomes(core, adoption, completion);
  const starts = wireStarts(core, definitions, adoption);
  const waits = wireWaits(core, adoption, outcomes, starts, definitions);
  const control = wireControl(core, definitions, completion, outcomes);
  const admissions = wireAdmissions(core, definitions, control);
  const children = wireChildren(core, { definitions, completion, starts, control, waits });
  const maps: MapsRoom = wireMaps(core, { completion, outcomes });
  const execution: ExecutionRoom = wireExecution(core, {
    completion,
    outcomes,
    waits,
    children,
    maps,
  });
  const claims: ClaimsRoom = wireClaims(core, {
    definitions,
    adoption,
    completion,
    outcomes,
    execution,
  });
  const schedules: SchedulesRoom = wireSchedules(core, definitions, starts);
  const groups = {
    admissions,
    completion,
    outcomes,
    waits,
    starts,
    children,
    maps,
    execution,
    claims,
    schedules,
  };
  const end = wireDrain(core, groups, isRecovering);
  // All parts side by side, for the facade.
  return {
    ...core,
    ...definitions,
    ...adoption,
    ...completion,
    ...outcomes,
    ...waits,
    ...starts,
    ...control,
    ...admissions,
    ...children,
    ...maps,
    ...execution,
    ...claims,
    ...schedules,
    ...wireRetention(core),
    ...end,
  };
}
