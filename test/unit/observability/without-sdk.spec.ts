import { describe, expect, it } from '@jest/globals';
import { context, trace } from '@opentelemetry/api';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { openTelemetry } from '../../../lib/otel.js';
import { Telemetry } from '../../../lib/observability/open-telemetry.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { RecordedTelemetry } from '../../support/recorded-telemetry.js';
import { tracedProcesses } from './traced-processes.js';

const processes = tracedProcesses();

describe('Without an SDK', () => {
  it('nothing is traced or measured, and no span is stored', async () => {
    const seen: unknown[] = [];
    const plain = defineWorkflow('plain')
      .task('a', () => void seen.push(trace.getSpan(context.active())))
      .build();
    const process = await processes.boot([plain]);
    const { telemetry } = process.engine;
    expect([telemetry?.isTracing, telemetry?.isMeasuring]).toEqual([false, false]);
    const { id } = await process.runner.start(plain);
    expect(await processes.ended(process, id)).toBe('Completed');
    expect(seen).toEqual([undefined]);
    const inputs = await process.store.inputs([id]);
    expect(inputs.get(id)).toMatchObject({ traceContext: null });
  });

  it('an SDK that is registered later is found', async () => {
    const telemetry = new Telemetry({}, new ManualClock());
    expect(telemetry.start({ tenant: 't', workflow: 'w' })).toBeUndefined();
    const recorded = new RecordedTelemetry();
    telemetry.start({ tenant: 't', workflow: 'w' })?.ended();
    expect(recorded.named('start w')).toHaveLength(1);
    expect(telemetry.isMeasuring).toBe(true);
    await recorded.end();
    expect(telemetry.isTracing).toBe(false);
  });
});

describe('openTelemetry()', () => {
  it.each([
    [{ trace: 'both' }, 'trace'],
    [{ maxTenants: -1 }, 'maxTenants'],
    [{ errorDetails: 'no' }, 'errorDetails'],
    [{ backlog: 1 }, 'backlog'],
    [{ maxTenant: 1 }, 'maxTenant'],
  ])('rejects %j', (options, argument) => {
    expect(() => openTelemetry(options as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', argument }),
    );
  });
});
