import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, Matches, MaxLength, Min } from 'class-validator';

export class StartImportDto {
  /** How many rows to import, from the first on. Default: all. */
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  limit?: number;

  /** When to begin, as a duration from now. */
  @IsOptional()
  @Matches(/^\d+(ms|s|m|h|d)$/, { message: "delay must be a duration such as '30s' or '1h'" })
  delay?: string;

  /** A second request with the same key returns the import of the first one. */
  @IsOptional()
  @IsString()
  @MaxLength(100)
  key?: string;
}
