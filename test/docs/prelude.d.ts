// What the examples of the guide take for granted: an application that sells things. Part of the program that
// test/unit/types/doc-blocks.ts compiles.
import type { Type } from '@nestjs/common';
import type {
  CloacinaHealth,
  CloacinaRunner,
  TaskContext,
  WorkflowDefinition,
} from 'nestjs-cloacina';
import type { DataSource, MigrationInterface, QueryRunner } from 'typeorm';

declare global {
  interface Order {
    orderId: number;
    amount: number;
    paymentId?: string;
    shelf?: string;
    parcel?: string;
    note?: string;
    refundId?: string;
  }

  function findSchemas(): Promise<string[]>;
  function currentToken(): Promise<string>;
  function findOrder(orderId: number): Promise<Order | undefined>;

  class Payments {
    charge(amount: number, key: string): Promise<string>;
    refund(paymentId: string, key: string): Promise<string>;
    isSettled(paymentId: string): Promise<boolean>;
  }
  const payments: Payments;

  class Carrier {
    shelfFor(orderId: number): Promise<string>;
    ship(orderId: number): Promise<string>;
  }

  class OrderFulfilment {
    charge(context: TaskContext<Order>): Promise<{ paymentId: string }>;
  }
  class Billing {
    bill(context: TaskContext<Order>): Promise<{ invoiceId: number }>;
  }
  class RenderPdf {
    render(context: TaskContext<{ invoiceId: string; pdf: string }>): Promise<{ pdf: string }>;
  }
  /** Files of a partner, in the order of their names. */
  class Bucket {
    list(
      folder: string,
      options: { after: string | undefined; signal: AbortSignal },
    ): Promise<string[]>;
  }
  const health: CloacinaHealth;
  const nightlyReport: WorkflowDefinition<{ day: string; copies?: number }>;

  const AppModule: Type<unknown>;

  /** An entity and its migration. */
  class Invoice {
    id: number;
    orderId: number;
  }
  class CreateInvoice implements MigrationInterface {
    up(queryRunner: QueryRunner): Promise<void>;
    down(queryRunner: QueryRunner): Promise<void>;
  }

  const runner: CloacinaRunner;
  const dataSource: DataSource;
  /** Of an execution. */
  const id: string;
}
