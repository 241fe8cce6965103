import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { PublicUrl } from '../public-url.js';
import type { Payment } from './charter-order.workflow.js';

/** Stands for a payment service elsewhere: it takes an order, and calls a webhook of this application when it is paid. */
@Injectable()
export class PaymentProvider {
  constructor(private readonly publicUrl: PublicUrl) {}

  async ask({ amount, token }: { amount: number; token: string }): Promise<void> {
    const payment: Payment = { reference: randomUUID(), amount };
    const response = await fetch(`${await this.publicUrl.get()}/callbacks/${token}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(payment),
    });
    if (!response.ok) throw new Error(`The webhook answered ${response.status}.`);
  }
}
