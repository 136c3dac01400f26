/* SPDX-License-Identifier: GPL-2.0-only */
/* Stand-in for libbpf's: the registers of x86_64 by their role. */
#pragma once

#define PT_REGS_PARM1(regs) ((regs)->di)
#define PT_REGS_PARM2(regs) ((regs)->si)
#define PT_REGS_PARM3(regs) ((regs)->dx)
#define PT_REGS_PARM4(regs) ((regs)->cx)
#define PT_REGS_PARM5(regs) ((regs)->r8)
#define PT_REGS_RC(regs)    ((regs)->ax)
#define PT_REGS_SP(regs)    ((regs)->sp)
#define PT_REGS_FP(regs)    ((regs)->bp)
#define PT_REGS_IP(regs)    ((regs)->ip)
