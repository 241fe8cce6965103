export { QueueFullError } from './queue-errors.js';
export { StartManyError } from './bulk-errors.js';
export {
  ChildCancelledError,
  ChildFailedError,
  ChildMissingError,
  type EndedChild,
} from './child-errors.js';
export { CloacinaError } from './cloacina-error.js';
export type { CloacinaErrorCode } from './cloacina-error.js';
export {
  ConfigurationError,
  InvalidArgumentError,
  NotAllowedError,
  SchemaNameError,
} from './configuration-errors.js';
export {
  DatabaseConnectionError,
  describePlace,
  type ConnectionObstacle,
  type DatabasePlace,
} from './connection-errors.js';
export {
  ConnectionsExhaustedError,
  DatabaseRefusedError,
  DatabaseUnavailableError,
  MigrationError,
  PermissionError,
  TablesMissingError,
  UnreadableDefinitionError,
} from './database-errors.js';
export { sqlStateOf, withoutDriver } from './driver-errors.js';
export { closestName, didYouMean, listNames } from './did-you-mean.js';
export {
  ContextTooLargeError,
  InvalidContextError,
  InvalidTransitionError,
  WaitTimeoutError,
  WorkflowCancelledError,
  WorkflowFailedError,
  WorkflowTimeoutError,
} from './execution-errors.js';
export type { EndedExecution } from './execution-errors.js';
export { ItemsFailedError, TooManyItemsError, type FailedItems } from './map-errors.js';
export { moveRefusalOf, TENANT_MOVES, type MoveRefusal } from './move-refusal.js';
export { InvalidTokenError, TokenExpiredError } from './message-errors.js';
export { MoveFailedError, MoveNotPossibleError, reasonOf, type MovePlaces } from './move-errors.js';
export { InvalidPollError, UnknownPollerError } from './poller-errors.js';
export { NonRetryableError, RetryAfterError } from './retry-errors.js';
export { DuplicateStepError, StepsTooLargeError, TooManyStepsError } from './step-errors.js';
export { toPlainError, toPlainText, toStoredError } from './stored-error.js';
export type { StoredError } from '../workflow/describe-error.js';
export {
  ClaimLostError,
  DeferralTimeoutError,
  SignalTimeoutError,
  TaskAbandonedError,
  TaskTimeoutError,
} from './task-errors.js';
export {
  describeDuplicateSchema,
  DuplicateSchemaError,
  TenantMovingError,
  TenantExistsError,
  TenantIncompleteError,
} from './tenant-errors.js';
export {
  NoTenantError,
  TenantRemovedError,
  UnknownExecutionError,
  UnknownScheduleError,
  UnknownTenantError,
  UnknownWorkflowError,
} from './unknown-name-errors.js';
export {
  messageWithoutSecrets,
  isError,
  readProperty,
  safeCause,
  withoutSecrets,
} from './without-secrets.js';
