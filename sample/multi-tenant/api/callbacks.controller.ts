import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common';
import { CloacinaTokens } from 'nestjs-cloacina';
import { PaymentDto } from './payment.dto.js';

/** Webhooks of providers. The signed token in the address names the tenant and the execution, and is the permission. */
@Controller('callbacks')
export class CallbacksController {
  constructor(private readonly tokens: CloacinaTokens) {}

  /** A webhook that is delivered twice changes nothing the second time. */
  @Post(':token')
  @HttpCode(200)
  async complete(
    @Param('token') token: string,
    @Body() { reference, amount }: PaymentDto,
  ): Promise<{ received: true }> {
    await this.tokens.complete(token, { reference, amount });
    return { received: true };
  }
}
