import { Type } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsString, Max, Min } from 'class-validator';
import type { ExecutionStatus } from 'nestjs-cloacina';

const STATUSES: ExecutionStatus[] = [
  'Pending',
  'Running',
  'Paused',
  'Completed',
  'Failed',
  'Cancelled',
];

export class ListExecutionsDto {
  /** `airport-import` or `charter-order`. */
  @IsOptional()
  @IsString()
  workflow = 'airport-import';

  @IsOptional()
  @IsIn(STATUSES)
  status?: ExecutionStatus;

  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(100)
  limit = 20;

  /** `nextCursor` of the previous page. */
  @IsOptional()
  @IsString()
  cursor?: string;
}
