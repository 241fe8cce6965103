import { Injectable } from '@nestjs/common';
import {
  contextValue,
  defineSignal,
  type Node,
  notFailed,
  Task,
  type TaskContext,
  WaitFor,
  Workflow,
} from 'nestjs-cloacina';
import { PaymentProvider } from './payment-provider.js';

/** Orders above this price need an approval. */
const APPROVED_ABOVE = 10_000;
const PRICE_PER_SEAT = 150;

export interface ApprovalOfOrder {
  by: string;
}
export interface Payment {
  reference: string;
  amount: number;
}

export const OrderApproval = defineSignal<ApprovalOfOrder>('order-approval');
export const PaymentReceived = defineSignal<Payment>('payment-received');

export interface OrderContext {
  seats: number;
  price?: number;
  approval?: ApprovalOfOrder;
  payment?: Payment;
  confirmation?: string;
}

type Context = TaskContext<OrderContext>;

/** quote → approval (only of an expensive flight) → requestPayment → payment → confirm */
@Workflow({ name: 'charter-order', timeout: '60d' })
@Injectable()
export class CharterOrder {
  constructor(private readonly provider: PaymentProvider) {}

  @Task()
  quote(context: Context) {
    return { price: context.require('seats') * PRICE_PER_SEAT };
  }

  /** Waits for a person, in rows of the database only. */
  @WaitFor({
    signal: OrderApproval,
    dependsOn: ['quote'],
    when: contextValue('price', 'greaterThan', APPROVED_ABOVE),
    timeout: '14d',
  })
  approval!: Node<typeof OrderApproval>;

  /** In a step, because every token is another one. A run after a crash asks the provider at most once more. */
  @Task({ dependsOn: ['quote', 'approval'], when: notFailed() })
  async requestPayment(context: Context) {
    await context.step('ask', () =>
      this.provider.ask({
        amount: context.require('price'),
        token: context.signalToken(PaymentReceived, { expiresIn: '7d' }),
      }),
    );
  }

  /** The provider's webhook may come before this node waits. */
  @WaitFor({ signal: PaymentReceived, dependsOn: ['requestPayment'], timeout: '7d' })
  payment!: Node<typeof PaymentReceived>;

  @Task({ dependsOn: ['payment'] })
  confirm(context: Context) {
    const { reference, amount } = context.require('payment');
    return {
      confirmation: `${context.require('seats')} seats for ${amount}, paid by ${reference}`,
    };
  }
}
