import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Body, Controller, Get, Param, Post, type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { CloacinaRunner } from 'nestjs-cloacina';
import { CloacinaTestingModule, TestingTenant } from 'nestjs-cloacina/testing';
import { Approval, Sale, Shop } from './sale.js';

@Controller('sales')
class SalesController {
  constructor(private readonly runner: CloacinaRunner) {}

  @Post()
  async start(@Body() { amount }: { amount: number }) {
    const { id } = await this.runner.start(Sale, { amount });
    return { id };
  }

  @Post(':id/approval')
  async approve(@Param('id') id: string) {
    await this.runner.signal(id, Approval, { by: 'Ada' });
  }

  @Get(':id')
  async status(@Param('id') id: string) {
    return { status: await this.runner.handle(id).status() };
  }
}

let app: INestApplication;
let tenant: TestingTenant;

beforeAll(async () => {
  const module = await Test.createTestingModule({
    imports: [CloacinaTestingModule.forTenant({ store: 'postgres' })], // on DATABASE_URL
    controllers: [SalesController],
    providers: [Sale, Shop],
  }).compile();
  app = module.createNestApplication();
  await app.listen(0, '127.0.0.1');
  tenant = app.get(TestingTenant);
});
afterAll(() => app.close());

async function call(method: string, path: string, body?: object): Promise<string> {
  const response = await fetch(`${await app.getUrl()}/sales${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return response.text();
}

test('a sale is approved over HTTP, a week after its start', async () => {
  const { id } = JSON.parse(await call('POST', '', { amount: 250 })) as { id: string };
  await tenant.time.advance('7d');
  expect(await call('GET', `/${id}`)).toBe('{"status":"Running"}');

  await call('POST', `/${id}/approval`);
  await tenant.time.advanceUntil(id);
  expect(await call('GET', `/${id}`)).toBe('{"status":"Completed"}');
});
