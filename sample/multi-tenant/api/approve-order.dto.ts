import { IsNotEmpty, IsString, MaxLength } from 'class-validator';

export class ApproveOrderDto {
  /** The name of the person. */
  @IsString()
  @IsNotEmpty()
  @MaxLength(100)
  by!: string;
}
