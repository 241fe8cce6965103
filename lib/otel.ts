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
