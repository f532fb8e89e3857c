export function bundleClient(leftOut?: readonly string[]): Promise<{
  readonly code: Uint8Array;
  readonly sourceMap: string;
  readonly gzippedBytes: number;
}>;
