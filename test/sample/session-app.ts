import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  CloacinaModule,
  type CloacinaRunner,
  CloacinaTenants,
  Task,
  type TaskContext,
  Workflow,
} from 'nestjs-cloacina';
import { openTelemetry } from 'nestjs-cloacina/otel';
import { RecordedTelemetry } from '../support/recorded-telemetry.js';

interface Order {
  orderId: number;
  parcel?: string;
}

/** What the test asks for. The answer has the number of the question. */
export type Question = { readonly no: number } & (
  | { readonly kind: 'order'; readonly tenant: string; readonly orderId: number }
  | { readonly kind: 'end'; readonly tenant: string; readonly id: string }
  /** Runs code of the page, in which `runner` is that of the tenant. */
  | { readonly kind: 'code'; readonly tenant: string; readonly code: string }
  | { readonly kind: 'telemetry' }
);

/** What the release of the application is: the second one has mended the workflow. */
const isMended = process.env['RELEASE'] === '2';
// Before Nest loads the application, as an SDK is to be registered.
const recorded = new RecordedTelemetry();

@Workflow({ name: 'order-fulfilment' })
@Injectable()
class OrderFulfilment {
  @Task({ retry: { maxAttempts: 2, delay: 1, jitter: false } })
  ship(context: TaskContext<Order>) {
    if (!isMended) throw new Error(`no carrier for order ${context.require('orderId')}`);
    return { parcel: `parcel of ${context.require('orderId')}` };
  }
}

@Module({
  imports: [
    CloacinaModule.forRoot({ telemetry: openTelemetry() }),
    CloacinaModule.forTenant({ tenant: 'acme', schema: 'tenant_acme' }),
    CloacinaModule.forTenant({ tenant: 'globex', schema: 'tenant_globex' }),
  ],
  providers: [OrderFulfilment],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['fatal'] });
app.enableShutdownHooks();
process.send?.({ kind: 'serving' });

const runnerOf = (tenant: string): CloacinaRunner => app.get(CloacinaTenants).get(tenant).runner;

async function answer(question: Question): Promise<object> {
  switch (question.kind) {
    case 'order': {
      const { orderId, tenant } = question;
      const { id } = await runnerOf(tenant).start(OrderFulfilment, { orderId });
      return { id, ...(await ended(tenant, id)) };
    }
    case 'end':
      return ended(question.tenant, question.id);
    case 'code':
      return { done: await evaluate(question.code, runnerOf(question.tenant)) };
    case 'telemetry':
      return {
        spans: recorded.spans.map((span) => ({
          name: span.name,
          attributes: span.attributes,
          events: span.events.map(({ attributes }) => attributes),
          status: span.status.code,
          trace: span.spanContext().traceId,
        })),
        ended: await recorded.values('cloacina.execution.ended'),
      };
  }
}

async function ended(tenant: string, id: string): Promise<object> {
  const { status } = await runnerOf(tenant).handle(id).result({ settled: true });
  return { status };
}

/** Returns the result of the last statement. */
function evaluate(code: string, runner: CloacinaRunner): Promise<unknown> {
  const source = `return (async (runner) => { ${code.replace(/^await /m, 'return await ')} })(runner);`;
  // oxlint-disable-next-line typescript/no-implied-eval -- the page's own code, which the test compiles too
  return new Function('runner', source)(runner) as Promise<unknown>;
}

process.on('message', (question: Question) => {
  void answer(question).then(
    (reply) => process.send?.({ no: question.no, ...reply }),
    (error: unknown) => process.send?.({ no: question.no, error: String(error) }),
  );
});
