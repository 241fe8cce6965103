/**
 * Traces and metrics with OpenTelemetry. Needs the package `@opentelemetry/api`.
 *
 * @packageDocumentation
 */
export { openTelemetry, type OpenTelemetryOptions } from './observability/open-telemetry.js';
export type {
  AttemptOutcome,
  AttemptSpan,
  Backlog,
  CloacinaTelemetry,
  PoolUse,
  SlotUse,
  StartSpan,
  TelemetrySource,
  TracedAttempt,
  TracedStart,
} from './events/telemetry.js';
// Types that those above name. They are those of the main entry.
export type { StoredError } from './errors/index.js';
export type { WorkflowEventName } from './events/event-name.js';
export type * from './events/workflow-event.js';
export type { Tags } from './workflow/index.js';
