export interface Point {
  readonly x: number;
  readonly y: number;
}

/** How much y grows for each 1 of x, by least squares; 0 for fewer than two points. */
export function slope(points: readonly Point[]): number {
  const mean = (of: (point: Point) => number) => points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean((point) => point.x), mean((point) => point.y)];
  const square = mean((point) => (point.x - x) ** 2);
  return square > 0 ? mean((point) => (point.x - x) * (point.y - y)) / square : 0;
}
