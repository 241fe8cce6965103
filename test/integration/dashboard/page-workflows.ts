import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { defineSignal } from '../../../lib/discovery/message-definitions.js';

const Approval = defineSignal<{ ok: boolean }>('approval');

/** What a handler may write, and a page must show as text. */
export const HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=1</script>';

/** Workflows with each thing that the page draws. */
export const order = defineWorkflow<{ customer: string; card: string; total: number }>(
  'order-fulfilment',
)
  .task('validate', () => ({ valid: true }))
  .task(
    'charge',
    { dependsOn: ['validate'], retry: { maxAttempts: 2, delay: '50ms' } },
    (context) => {
      if (context.require('total') > 1_000) {
        throw new Error(`The card of order ${context.require('total')} was refused`, {
          cause: new Error('HTTP 402 from the bank'),
        });
      }
      return { receipt: 'r-1' };
    },
  )
  .task('reserve', { dependsOn: ['validate'] }, () => ({ shelf: 'B-12' }))
  .task('pack', { dependsOn: ['charge', 'reserve'] }, () => ({ parcel: 'p-77' }))
  .task('ship', { dependsOn: ['pack'] }, () => ({ tracking: 'TRK-1' }))
  .task('notify', { dependsOn: ['pack'] }, () => ({}))
  .build();

export const approval = defineWorkflow<{ amount: number }>('expense-approval')
  .task('collect', () => ({ receipts: 3 }))
  .task('ask', { dependsOn: ['collect'] }, async (context) => {
    const answer = await context.waitFor(Approval);
    return { answer };
  })
  .task('pay', { dependsOn: ['ask'] }, () => ({ paid: true }))
  .build();

export const imported = defineWorkflow<{ rows: number }>('import-airports')
  .task('download', () => ({ url: 'https://data.example/airports.csv' }))
  .map(
    'store',
    {
      dependsOn: ['download'],
      items: () => Array.from({ length: 60 }, (_, row) => ({ row })),
      onItemFailure: 'continue',
    },
    (context) => {
      if (context.item.row % 20 === 7) throw new Error(`Row ${context.item.row} has no code`);
      return { stored: context.item.row };
    },
  )
  .task('report', { dependsOn: ['store'] }, () => ({ ok: true }))
  .build();

export const hostile = defineWorkflow<{ text: string; rtl: string; large: string[] }>('hostile')
  .task('write', () => ({ markup: HOSTILE, ['k'.repeat(120)]: 'long key' }))
  .build();
