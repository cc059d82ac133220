# model of Integers widths: (lo,hi)
W=[("U8",0,255),("I16",-32768,32767),("U16",0,65535),("I32",-2**31,2**31-1),("I64",-2**63,2**63-1)]
def z(lo,hi):
    return next(w for w in W if w[1]<=lo and hi<=w[2])
print(z(0,300), z(min(0,-32768),max(40000,32767)))
