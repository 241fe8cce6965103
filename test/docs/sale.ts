import { Injectable } from '@nestjs/common';
import { defineSignal, NonRetryableError, Task, Workflow, type TaskContext } from 'nestjs-cloacina';

export const Approval = defineSignal<{ by: string }>('approval');

export interface SaleData {
  amount: number;
  paymentId?: string;
  approvedBy?: string;
  parcel?: string;
}

/** Charges cards and sends parcels. */
@Injectable()
export class Shop {
  async charge(amount: number, key: string): Promise<string> {
    return `payment of ${amount} for ${key.split(':')[1]}`;
  }

  async ship(): Promise<string> {
    return 'parcel 1';
  }
}

@Workflow({ name: 'sale' })
export class Sale {
  constructor(private readonly shop: Shop) {}

  @Task({ retry: { maxAttempts: 3, delay: '10m', jitter: false } })
  async charge(context: TaskContext<SaleData>) {
    const amount = context.require('amount');
    return { paymentId: await this.shop.charge(amount, context.idempotencyKey) };
  }

  @Task({ dependsOn: ['charge'] })
  async approve(context: TaskContext<SaleData>) {
    const approval = await context.waitFor(Approval, { timeout: '14d' });
    if (approval === undefined) throw new NonRetryableError('The sale was not approved in time.');
    return { approvedBy: approval.by };
  }

  @Task({ dependsOn: ['approve'] })
  async ship(_context: TaskContext<SaleData>) {
    return { parcel: await this.shop.ship() };
  }
}
