export { MAX_PRIORITY, PRIORITY_LEVELS, priorityLevel } from './priority.js';
export { INSTANT_FORM, isInstant } from './instant.js';
export {
  BUILT_IN_PREFIX,
  isBuiltInName,
  POLLER_LIMIT,
  pollerOf,
  pollerWorkflowName,
} from './built-in-names.js';
export { parseDuration, DURATION_FORM, MAX_DURATION_MS, type Duration } from './duration.js';
export {
  canExecutionTransition,
  canTaskTransition,
  isExecutionEnded,
  isTaskTerminal,
  EXECUTION_TRANSITIONS,
  TASK_TRANSITIONS,
  type ExecutionStatus,
  type SkipReason,
  type TaskStatus,
} from './states.js';
export {
  all,
  always,
  any,
  contextValue,
  handledFailures,
  none,
  notFailed,
  readsContext,
  rules,
  taskFailed,
  taskSkipped,
  tasksNamedBy,
  taskSucceeded,
  type ContextOperator,
  type ContextRule,
  type DependenciesRule,
  type GroupRule,
  type GroupRuleKind,
  type TaskRule,
  type TaskRuleKind,
  type TriggerRule,
} from './trigger-rule.js';
export { formatPath } from './json-path.js';
export { decodeTags, encodeTags, hasTags, tagsProblem, type Tags } from './tags.js';
export { DEFAULT_RETRY_POLICY, retryDelayMs, type RetryPolicy } from './retry-policy.js';
export {
  DEFAULT_TASK_TIMEOUT_MS,
  type CompiledTask,
  type CompiledWorkflow,
  type RetrySource,
  type TaskSource,
  type WorkflowSource,
} from './definition.js';
export type {
  ChildNode,
  NodeKind,
  NodeSource,
  ParentEnd,
  SleepNode,
  TaskKind,
  TaskNode,
  TimeoutOutcome,
  WaitNode,
} from './node.js';
export { failsMap, type ItemFailureRule, type MapNode, type MapSource } from './map-node.js';
export {
  defaultConcurrency,
  joinLimitKeys,
  limitKeyOf,
  mapKeyIn,
  slotKeyOf,
  splitLimitKey,
  untilNextToken,
  FAIR_LIMIT,
  MAX_CONCURRENCY,
  UNLIMITED,
  type CheckedNumbers,
  type CheckedRate,
  type LimitDefinition,
  type LimitNumbers,
  type LimitRef,
  type LimitTable,
  type Rate,
  type TaskLimit,
  type TaskLimitOptions,
} from './limit.js';
export {
  ADMISSION_PREFIX,
  admissionLimitName,
  findAdmissionKey,
  NO_ADMISSION,
  splitAdmissionKey,
  type Admission,
  type CheckedAdmission,
  type WhenFull,
} from './admission.js';
export { scheduleTurnKey, TURN_NUMBERS, turnPolicyOf, type TurnPolicy } from './schedule-turn.js';
export { checkLimitName, checkNumbers } from './limit-check.js';
export { findLimitKey, isItemPath, keyProblem } from './limit-key.js';
export { isMapLimit, mapLimitKey, mapLimitsOf } from './map-limit.js';
export { joinLimits, type NamedLimit } from './limit-table.js';
export { compileWorkflow, type CompileResult } from './compile.js';
export { formatOf, READABLE_FORMATS } from './definition-format.js';
export { definitionIdOf } from './definition-id.js';
export {
  restoreWorkflow,
  storeWorkflow,
  type StoredDefinition,
  type StoredTask,
} from './stored-definition.js';
export {
  decodeJson,
  describeError,
  encodeEntries,
  encodeJson,
  MAX_JSON_DEPTH,
  sanitizeText,
  textProblem,
  type EncodeEntriesResult,
  type EncodeResult,
  type JsonObject,
  type NotJson,
} from './json-value.js';
export {
  ContextView,
  finalContext,
  INPUT_WRITER,
  joinContexts,
  type ContextConflict,
  type ContextEntry,
  type JoinedContext,
  type JoinedDependency,
} from './context.js';
export {
  decideTask,
  endStatus,
  tasksToReset,
  unhandledFailures,
  type DependencyOutcome,
  type TaskDecision,
} from './decision.js';
export { isMessageRef, type MessageRef } from './message-ref.js';
