import { isObservable } from 'rxjs';
import type { TaskContext } from '../../discovery/task-context.js';
import type { CloacinaTelemetry } from '../../events/telemetry.js';
import type { TenantEvents } from '../../events/tenant-events.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type { TransactionStore } from '../../store/port/index.js';
import type { ClaimGate } from '../claims/claim-gate.js';
import type { TenantSettings } from '../process-services.js';
import type { Attempt } from './attempt.js';
import { HandlerCall, thrown } from './handler-call.js';
import type { HandlerOutcome } from './handler-outcome.js';
import { lastValue } from './last-value.js';
import type { OutcomeRecorder } from './outcome-recorder.js';
import type { ReadResults } from '../items/item-results.js';
import type { ReadBatch } from '../starts/batch-reader.js';
import { runningOf } from './running-item.js';
import type { Children } from '../children/children.js';
import type { StepServices } from '../waits/step-services.js';
import type { MessageTaker } from '../messages/message-taker.js';
import type { TokenIssuer } from '../messages/token-issuer.js';
import type { ProgressReports } from './progress-reports.js';
import type { TaskInterceptors } from './task-interceptors.js';
import type { TaskSurroundings } from './task-surroundings.js';
import { TransactionalRunner } from './transactional-runner.js';
import type { Clock } from '../../runtime/clock.js';

export interface HandlerRunnerParts {
  readonly clock: Clock;
  readonly settings: Pick<TenantSettings, 'tenant' | 'maxContextSize'>;
  readonly store: TransactionStore & FailureClassifier;
  /** The data source that handlers get. */
  readonly dataSource: TaskContext['dataSource'];
  readonly runner: () => TaskContext['runner'];
  readonly recorder: Pick<OutcomeRecorder, 'recordIn' | 'isRecorded'>;
  readonly events: Pick<TenantEvents, 'taskStarted'>;
  readonly gate: Pick<ClaimGate, 'underWay'>;
  readonly interceptors: TaskInterceptors;
  readonly steps: StepServices;
  readonly messages: MessageTaker;
  readonly tokens: TokenIssuer;
  readonly children: Children;
  readonly progress: ProgressReports;
  readonly results: ReadResults;
  readonly batch: ReadBatch;
  readonly maps: MapRuns;
  /** What traces and measures the attempts. Undefined: nothing does. */
  readonly telemetry?: CloacinaTelemetry | undefined;
}

/** Runs the claims of maps, which store or join items instead of calling a handler. */
export interface MapRuns {
  /** Never rejects. */
  run(attempt: Attempt, call: HandlerCall, surroundings: TaskSurroundings): Promise<void>;
}

/**
 * Runs handlers. Each attempt ends with one {@link HandlerOutcome}, made from what the handler returns, writes or
 * throws.
 */
export class HandlerRunner {
  private readonly surroundings: TaskSurroundings;
  private readonly call: HandlerCall;
  private readonly transactions: TransactionalRunner;

  constructor(private readonly parts: HandlerRunnerParts) {
    const { clock, dataSource, runner, settings, steps, messages, tokens, children } = parts;
    const { progress, results, batch, telemetry } = parts;
    this.surroundings = {
      clock,
      tenant: settings.tenant,
      runner,
      dataSource,
      steps,
      messages,
      tokens,
      children,
      progress,
      results,
      batch,
      get manager() {
        return dataSource.manager;
      },
    };
    const { tenant, maxContextSize } = settings;
    const tracing = telemetry && { telemetry, tenant, clock };
    this.call = new HandlerCall(maxContextSize, parts.interceptors, tracing);
    this.transactions = new TransactionalRunner({ ...parts, call: this.call });
  }

  /** Begins the attempt. It concludes by itself and reports to its listener. */
  run(attempt: Attempt): void {
    this.parts.events.taskStarted(attempt.claim);
    const { claim } = attempt;
    if (claim.isMap) void this.parts.maps.run(attempt, this.call, this.surroundings);
    else if (claim.task.transactional) void this.transactions.run(attempt);
    else void this.runPlain(attempt);
  }

  /** Never rejects. Hands the outcome over without another promise, because this is the hot path. */
  private async runPlain(attempt: Attempt): Promise<void> {
    const { claim, input } = attempt;
    const context = runningOf(claim, input.view, this.surroundings);
    const { run } = context;
    let outcome: HandlerOutcome;
    try {
      let returned = await this.call.invoke(attempt, context);
      if (isObservable(returned)) returned = await lastValue(returned, claim.signal);
      const { unawaited } = run;
      if (unawaited !== undefined) await unawaited;
      outcome = this.call.completed(attempt, context, returned);
    } catch (error) {
      if (run.hasOpenPoints) await run.threw();
      outcome = thrown(attempt, run, error);
    }
    try {
      attempt.conclude(outcome);
    } finally {
      attempt.end();
    }
  }
}
