import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import { BuiltWorkflow } from '../../../lib/discovery/workflow-builder.js';
import { METRIC } from '../../../lib/observability/names.js';
import { openTelemetry } from '../../../lib/otel.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { hooksOf } from '../../support/hooks-of.js';
import { RecordedTelemetry } from '../../support/recorded-telemetry.js';
import { tenantOptions } from '../../support/tenant-options.js';
import { tracked } from './tracked.js';

/** A process that runs the workflow of `tracked.ts`, and tells what it has recorded when it is asked. */
export interface TracedReport {
  readonly kind: 'report';
  readonly spans: readonly {
    readonly name: string;
    readonly traceId: string;
    readonly parent: string | undefined;
    readonly attributes: Readonly<Record<string, unknown>>;
  }[];
  readonly recovered: readonly { readonly attributes: object; readonly value?: number }[];
  readonly recoveries: readonly { readonly attributes: object; readonly count?: number }[];
}

const { TRACED_SCHEMA: schema = '', TRACED_DIES: dies } = process.env;
const recorded = new RecordedTelemetry();
const definition = tracked(() => {
  if (dies !== undefined) process.kill(process.pid, 'SIGKILL');
});
if (!(definition instanceof BuiltWorkflow)) throw new TypeError('Not a definition.');
const { registered } = describeDefinition({ definition, module: 'Traced' });
if (registered === undefined) throw new Error('The workflow has a mistake.');
const registry = new WorkflowRegistry([registered]);
const host = new TenantManager(registry, 10, hooksOf(openTelemetry()));
await host.openTenant(tenantOptions(schema, { poolSize: 6 }));
await host.startClaiming();
process.on('message', () => {
  void report().then((told) => process.send?.(told));
});

async function report(): Promise<TracedReport> {
  const spans = recorded.spans.map((span) => ({
    name: span.name,
    traceId: span.spanContext().traceId,
    parent: span.parentSpanContext?.spanId,
    attributes: span.attributes,
  }));
  const recovered = await recorded.values(METRIC.tasksRecovered);
  const recoveries = await recorded.values(METRIC.recoveryDuration);
  return { kind: 'report', spans, recovered, recoveries };
}
