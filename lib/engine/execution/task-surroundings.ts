import type { TaskContext } from '../../discovery/task-context.js';
import type { Clock } from '../../runtime/clock.js';
import type { Children } from '../children/children.js';
import type { ReadResults } from '../items/item-results.js';
import type { MessageTaker } from '../messages/message-taker.js';
import type { TokenIssuer } from '../messages/token-issuer.js';
import type { ReadBatch } from '../starts/batch-reader.js';
import type { StepServices } from '../waits/step-services.js';
import type { ProgressReports } from './progress-reports.js';

/** The tenant's parts that a running task can use. */
export interface TaskSurroundings {
  readonly clock: Pick<Clock, 'now'>;
  readonly tenant: string;
  /** A function, because the runner is created after the engine. */
  readonly runner: () => TaskContext['runner'];
  readonly dataSource: TaskContext['dataSource'];
  readonly manager: TaskContext['manager'];
  /** In a transaction of the task: rejects if the handler has ended it, or has caught a failure in it. */
  readonly assertOpen?: () => Promise<void>;
  readonly steps: StepServices;
  readonly messages: MessageTaker;
  readonly tokens: TokenIssuer;
  readonly children: Children;
  readonly progress: Pick<ProgressReports, 'report'>;
  readonly results: ReadResults;
  readonly batch: ReadBatch;
}
