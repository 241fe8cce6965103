import { defineWorkflow } from '../../lib/discovery/define-workflow.js';
import { defineSignal } from '../../lib/discovery/message-definitions.js';

const Approval = defineSignal<{ ok: boolean }>('approval');

/** What a handler may write, and a page must show as text. */
export const HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=1</script>';
/** A name that no layout is made for. */
export const ENDLESS = 'n'.repeat(10_000);
/** It ends as `exe.txt` where the direction is not isolated. */
export const RIGHT_TO_LEFT = 'שלום עולם \u202Etxt.exe';

/** A graph with branches and a join. Large orders fail in `charge`, after a second attempt. */
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

/** It waits for a person. */
export const approval = defineWorkflow<{ amount: number }>('expense-approval')
  .task('collect', () => ({ receipts: 3 }))
  .task('ask', { dependsOn: ['collect'] }, async (context) => {
    const answer = await context.waitFor(Approval);
    return { answer };
  })
  .task('pay', { dependsOn: ['ask'] }, () => ({ paid: true }))
  .build();

/** A map, some of whose items fail. */
export const imported = defineWorkflow<{ rows: number }>('import-airports')
  .task('download', () => ({ url: 'https://data.example/airports.csv' }))
  .map(
    'store',
    {
      dependsOn: ['download'],
      items: (context) => Array.from({ length: context.require('rows') }, (_, row) => ({ row })),
      onItemFailure: 'continue',
      concurrency: 100,
    },
    (context) => {
      if (context.item.row % 200 === 7) throw new Error(`Row ${context.item.row} has no code`);
      return { stored: context.item.row };
    },
  )
  .task('report', { dependsOn: ['store'] }, () => ({ ok: true }))
  .build();

/** Markup, names without an end, text of the other direction, and more of it than fits. */
export const hostile = defineWorkflow<{ text: string; rtl: string; large: string[] }>('hostile')
  .task('write', () => ({ markup: HOSTILE, [ENDLESS]: 'a name without an end' }))
  .task('break', { dependsOn: ['write'], retry: { maxAttempts: 1 } }, () => {
    const error = new Error(`${HOSTILE} ${RIGHT_TO_LEFT} ${ENDLESS}`);
    error.name = ENDLESS;
    throw error;
  })
  .build();

/** A name as people give them. */
export const LONG_NAME =
  'reconcile-quarterly-statements-of-one-subsidiary-in-its-own-currency-and-tax-year';

/** A child, whose task has a limit. */
export const subsidiary = defineWorkflow<{ country: string }>(LONG_NAME)
  .task(
    'read-the-statements-of-the-bank-and-of-the-payment-provider',
    { limit: { name: 'bank', key: 'country', concurrency: 4 } },
    () => ({ read: 240 }),
  )
  .build();

/** A parent with children, and a step. */
export const group = defineWorkflow('reconcile-group')
  .task('plan', async (context) => {
    const countries = await context.step('list countries', () => ['PT', 'DE']);
    return { countries };
  })
  .task('subsidiaries', { dependsOn: ['plan'] }, async (context) => {
    for (const country of ['PT', 'DE']) {
      await context.execute(subsidiary, { country }, { key: country });
    }
    return { reconciled: 2 };
  })
  .build();
