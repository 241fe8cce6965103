import {
  context,
  ROOT_CONTEXT,
  type Attributes,
  type Context,
  type Link,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import type { StoredError } from '../errors/index.js';
import type { AttemptOutcome, StartSpan, TracedAttempt, TracedStart } from '../events/telemetry.js';
import { ATTRIBUTE } from './names.js';
import { decodeSpanContext, encodeSpanContext } from './trace-context.js';

export interface SpanOptions {
  /** Whether an execution continues the trace of its caller, or begins one of its own, with a link to the caller. */
  readonly continuesTrace: boolean;
  /** Whether spans contain messages and stacks of errors. */
  readonly hasErrorDetails: boolean;
}

/** Makes the spans of starts and of runs of tasks. */
export class Spans {
  constructor(
    private readonly tracer: Tracer,
    private readonly options: SpanOptions,
  ) {}

  /** Begins the span of a start, which all runs of the execution's tasks have as their parent. */
  start({ tenant, workflow, executionId }: TracedStart): StartSpan {
    const caller = trace.getSpan(context.active());
    const begins = !this.options.continuesTrace;
    const span = this.tracer.startSpan(`start ${workflow}`, {
      kind: SpanKind.PRODUCER,
      root: begins,
      links: begins && caller !== undefined ? [{ context: caller.spanContext() }] : [],
      attributes: {
        ...messaging('start', 'send', workflow),
        [ATTRIBUTE.tenant]: tenant,
        [ATTRIBUTE.workflow]: workflow,
        ...(executionId === undefined ? {} : { [ATTRIBUTE.execution]: executionId }),
      },
    });
    // So a task shows its children, as these show the task.
    if (caller !== undefined && isAttempt(context.active())) {
      caller.addLink({ context: span.spanContext() });
    }
    return {
      context: encodeSpanContext(span.spanContext()),
      ended: (started) => {
        if (started !== undefined) {
          span.setAttribute(ATTRIBUTE.execution, started.executionId);
          span.setAttribute(ATTRIBUTE.created, started.created);
        }
        span.end();
      },
      failed: (error) => {
        this.fail(span, error);
        span.end();
      },
    };
  }

  /** Begins the span of a run of a task. */
  attempt(attempt: TracedAttempt): Span {
    const { tenant, workflow, task, traceContext, item } = attempt;
    const start = traceContext === null ? undefined : decodeSpanContext(traceContext);
    const links: Link[] = start === undefined ? [] : [{ context: start }];
    const parent = start === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, start);
    const options = {
      kind: SpanKind.CONSUMER,
      links,
      attributes: {
        ...messaging('run', 'process', workflow),
        [ATTRIBUTE.tenant]: tenant,
        [ATTRIBUTE.workflow]: workflow,
        [ATTRIBUTE.task]: task,
        [ATTRIBUTE.execution]: attempt.executionId,
        [ATTRIBUTE.attempt]: attempt.attempt,
        [ATTRIBUTE.maxAttempts]: attempt.maxAttempts,
        [ATTRIBUTE.recoveryAttempt]: attempt.recoveryAttempt,
        ...(item === undefined ? {} : { [ATTRIBUTE.item]: item }),
      },
    };
    return this.tracer.startSpan(`run ${workflow}/${task}`, options, parent);
  }

  endAttempt(span: Span, outcome: AttemptOutcome, error: StoredError | undefined): void {
    span.setAttribute(ATTRIBUTE.outcome, outcome);
    if (error !== undefined) this.fail(span, error);
    span.end();
  }

  /** The error is masked already. */
  private fail(span: Span, { name, message, stack }: StoredError): void {
    span.setAttribute(ATTRIBUTE.errorType, name);
    if (!this.options.hasErrorDetails) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      return;
    }
    span.recordException({ name, message, ...(stack === undefined ? {} : { stack }) });
    span.setStatus({ code: SpanStatusCode.ERROR, message });
  }
}

/** Spans of contexts in which handlers run. */
const attempts = new WeakSet<Span>();

/** Runs the handler of a run within its span. */
export function runWithin<T>(span: Span, work: () => T): T {
  attempts.add(span);
  return context.with(trace.setSpan(ROOT_CONTEXT, span), work);
}

/** Whether a handler calls, and not, say, an HTTP request that it has made. */
function isAttempt(active: Context): boolean {
  const span = trace.getSpan(active);
  return span !== undefined && attempts.has(span);
}

function messaging(name: string, type: 'process' | 'send', workflow: string): Attributes {
  return {
    [ATTRIBUTE.system]: 'cloacina',
    [ATTRIBUTE.operationName]: name,
    [ATTRIBUTE.operationType]: type,
    [ATTRIBUTE.destination]: workflow,
  };
}
