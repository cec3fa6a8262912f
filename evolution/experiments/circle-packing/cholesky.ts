/**
 * Symmetric systems for the interior-point steps: A = L L^T in place, lower half, row by row (Golub and Van Loan, Matrix
 * Computations, 4th ed., 4.2).
 */

/** Replaces the lower half of a matrix by its factor; false where it is not positive definite, with the half spoilt. */
export function factorise(matrix: Float64Array, size: number): boolean {
  for (let row = 0; row < size; row++) {
    const rowAt = row * size;
    for (let column = 0; column <= row; column++) {
      const columnAt = column * size;
      let sum = matrix[rowAt + column] ?? 0;
      for (let k = 0; k < column; k++) sum -= (matrix[rowAt + k] ?? 0) * (matrix[columnAt + k] ?? 0);
      if (column < row) matrix[rowAt + column] = sum / (matrix[columnAt + column] ?? 1);
      else if (sum > 0) matrix[rowAt + row] = Math.sqrt(sum);
      else return false;
    }
  }
  return true;
}

/** Solves L L^T x = b; b becomes x. */
export function solveInPlace(factor: Float64Array, right: Float64Array): void {
  const size = right.length;
  for (let row = 0; row < size; row++) {
    let sum = right[row] ?? 0;
    for (let k = 0; k < row; k++) sum -= (factor[row * size + k] ?? 0) * (right[k] ?? 0);
    right[row] = sum / (factor[row * size + row] ?? 1);
  }
  for (let row = size - 1; row >= 0; row--) {
    const value = (right[row] ?? 0) / (factor[row * size + row] ?? 1);
    right[row] = value;
    for (let k = 0; k < row; k++) right[k] = (right[k] ?? 0) - (factor[row * size + k] ?? 0) * value;
  }
}
