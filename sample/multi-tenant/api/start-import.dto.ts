import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, Matches, MaxLength, Min } from 'class-validator';

export class StartImportDto {
  /** Import the first so many rows only. */
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  limit?: number;

  /** Begin after so long. */
  @IsOptional()
  @Matches(/^\d+(ms|s|m|h|d)$/, { message: "delay must be a duration such as '30s' or '1h'" })
  delay?: string;

  /** A second request with the same key gets the first one's import. */
  @IsOptional()
  @IsString()
  @MaxLength(100)
  key?: string;
}
