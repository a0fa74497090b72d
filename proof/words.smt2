; words.smt2 -- the axioms of words.h over bit vectors
;
; SPDX-License-Identifier: BSD-2-Clause
;
; 72 bits: wide enough that no sum below wraps, so that they behave as integers.
; Each NAME-fails is the negation of the axiom of that name; check-proof has both
; solvers show that it has no model, for each power of two separately where one
; occurs.
(set-logic QF_BV)
(define-sort Int72 () (_ BitVec 72))
(define-fun word ((x Int72)) Bool (bvult x #x010000000000000000))
(define-fun rounded-up ((r Int72) (x Int72) (a Int72)) Bool
  (and (= (bvurem r a) #x000000000000000000) (bvule x r) (bvult r (bvadd x a))))
(declare-const a Int72)	; the power of two, where there is one
(declare-const x Int72)
(declare-const y Int72)

; n = x; a runs over all powers of two
(define-fun power-only-fails () Bool	; a power of two passes
  (not (= (bvand a (bvsub a #x000000000000000001)) #x000000000000000000)))
(define-fun power-all-fails ((is-power Bool)) Bool	; nothing else does
  (and (word x) (bvult #x000000000000000000 x) (not is-power)
       (= (bvand x (bvsub x #x000000000000000001)) #x000000000000000000)))

(define-fun filling () Int72 (bvand (bvneg x) (bvsub a #x000000000000000001)))
(define-fun fill-fails () Bool
  (and (word x)
       (not (and (bvult filling a)
                 (= (bvurem (bvadd x filling) a) #x000000000000000000)))))

; m = a - 1; ~m as a 64-bit word
(define-fun m () Int72 (bvsub a #x000000000000000001))
(define-fun cleared () Int72 (bvand x (bvand (bvnot m) #x00ffffffffffffffff)))
(define-fun clear-fails () Bool
  (and (word x)
       (not (and (= (bvurem cleared a) #x000000000000000000)
                 (bvule x (bvadd cleared m)) (bvule cleared x)))))

(define-fun eight-fails () Bool
  (and (word x)
       (not (= (bvor x #x000000000000000007)
               (bvadd (bvsub x (bvurem x #x000000000000000008))
                      #x000000000000000007)))))

(define-fun odd-fails () Bool
  (and (word x)
       (not (= (bvand x #x000000000000000001)
               (bvurem x #x000000000000000002)))))

(define-fun wrap-fails () Bool
  (and (word (bvsub x #x010000000000000000))
       (not (= (bvand x #x00ffffffffffffffff)
               (bvsub x #x010000000000000000)))))

(define-fun below-fails () Bool
  (and (word (bvadd x #x010000000000000000))
       (not (= (bvand x #x00ffffffffffffffff)
               (bvadd x #x010000000000000000)))))

(define-fun flip-fails () Bool
  (and (bvult x #x000000000000000040)
       (not (= (bvxor x #x00000000000000003f)
               (bvsub #x00000000000000003f x)))))

; i = x, j = y
(define-fun one-shifted ((i Int72)) Int72 (bvshl #x000000000000000001 i))
(define-fun shift-fails () Bool
  (and (bvult x #x000000000000000040)
       (not (= (one-shifted (bvadd x #x000000000000000001))
               (bvadd (one-shifted x) (one-shifted x))))))
(define-fun order-fails () Bool
  (and (bvule x y) (bvule y #x000000000000000040)
       (not (and (bvule #x000000000000000001 (one-shifted x))
                 (bvule (one-shifted x) (one-shifted y))))))

; at = x, s = y
(define-fun start-fails () Bool
  (and (word x) (= (bvurem x #x000000000000000010) #x000000000000000000)
       (rounded-up y x a)
       (not (and (= (bvurem y #x000000000000000010) #x000000000000000000)
                 (bvule y (bvadd x (ite (bvugt a #x000000000000000010)
                                        (bvsub a #x000000000000000010)
                                        #x000000000000000000)))))))
