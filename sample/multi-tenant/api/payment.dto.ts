import { Type } from 'class-transformer';
import { IsNotEmpty, IsNumber, IsString } from 'class-validator';

/** What the payment provider sends. */
export class PaymentDto {
  @IsString()
  @IsNotEmpty()
  reference!: string;

  @Type(() => Number)
  @IsNumber()
  amount!: number;
}
